"""The names of the data that an install would lose, as `--lose` and the dashboard's command lines spell them."""

from __future__ import annotations

from node_runtime.protocol import messages as m


def lost_names(plan: m.Plan) -> tuple[str, ...]:
    """Return the names of the data that an install would lose.

    They are fields of states, such as "shop.cart:State.note", and global variables, such as "shop.hub.CLIENTS".
    """
    fields = () if plan.rehearsal is None else plan.rehearsal.lost
    return (
        *(one.field for one in fields if one.with_data and not one.back),
        *(f"{one.module}.{one.name}" for one in plan.module_values if one.fate == "lost"),
    )


def known_names(plan: m.Plan) -> set[str]:
    """Return the names that `--lose` accepts. They include names of data that the install keeps."""
    fields = () if plan.rehearsal is None else plan.rehearsal.lost
    return {*(one.field for one in fields), *(f"{one.module}.{one.name}" for one in plan.module_values)}


def lose_words(plan: m.Plan) -> list[str]:
    """Return the options `--lose NAME` that an install of this plan needs, as words of a command line."""
    return [word for name in lost_names(plan) for word in ("--lose", name)]
