"""The consent to the loss of data: without a question, a deployment loses only what the command line names."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused


def lost_names(plan: m.Plan) -> tuple[str, ...]:
    """Return the names of the data that an install would lose.

    They are fields of states, such as "shop.cart:State.note", and global variables, such as "shop.hub.CLIENTS".
    """
    fields = () if plan.rehearsal is None else plan.rehearsal.lost
    return (
        *(one.field for one in fields if one.with_data and not one.back),
        *(f"{one.module}.{one.name}" for one in plan.module_values if one.fate == "lost"),
    )


def _known_names(plan: m.Plan) -> set[str]:
    """Return the names that `--lose` accepts. They include names of data that the install keeps."""
    fields = () if plan.rehearsal is None else plan.rehearsal.lost
    return {*(one.field for one in fields), *(f"{one.module}.{one.name}" for one in plan.module_values)}


def check_consent(plan: m.Plan, node: str, named: Collection[str]) -> None:
    """Raise Refused if an install would lose data whose name is not in `named`, or if `named` has an unknown name."""
    lost = lost_names(plan)
    unknown = sorted({*named} - _known_names(plan)) if len(plan.lost) <= len(lost) and not plan.nothing_to_do else []
    if unknown:
        raise Refused(
            f"The plan of the {plan.direction}grade has no data with the name {', '.join(unknown)}. "
            "Correct this name after --lose, or leave it out."
        )
    missing = [name for name in lost if name not in named]
    if missing:
        options = " ".join(f"--lose {shlex.quote(name)}" for name in missing)
        raise Refused(
            f"The {plan.direction}grade would lose data: {', '.join(missing)}. "
            f"Keep the data in the way that the plan describes, or pass {options}."
        )
    if len(plan.lost) > len(lost):
        verb = f"'hotdash {plan.direction}grade {node} {plan.to_vsn}'"
        raise Refused(f"{plan.lost[-1]} Keep the data in the way that the plan describes, or run {verb} and confirm.")
