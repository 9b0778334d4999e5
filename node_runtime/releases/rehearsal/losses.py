"""The fields that the default migration drops, collected over all processes of a rehearsal."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from node_runtime.processes.process import Process
from node_runtime.protocol.messages import LostData, Rehearsal
from node_runtime.releases.migration import LostField
from node_runtime.releases.planning import conditions


class Losses:
    """The fields that the rehearsed migrations have dropped so far: to the target, and back to the running release."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], LostData] = {}

    def add(self, process: Process, lost: Iterable[LostField], *, back: bool) -> None:
        """Add the fields that the new state of a process lacks.

        `back` is True if the state was converted to the running release again, and False if it was converted to the
        target.
        """
        for one in lost:
            name = str(one)
            known = self._known.get((name, back))
            if known is None or (one.with_data and not known.with_data):
                label = conditions.process_label(process)
                counts = (0, 0, 0) if known is None else (known.processes, known.objects, known.with_data)
                known = LostData(name, label, one.path.lstrip("."), *counts, back=back)
            self._known[name, back] = msgspec.structs.replace(
                known,
                processes=known.processes + 1,
                objects=known.objects + one.count,
                with_data=known.with_data + one.with_data,
            )

    def found(self) -> list[LostData]:
        """Return the fields that would be lost, each with the number of processes and objects that have it."""
        return list(self._known.values())


def lost(rehearsal: Rehearsal, target: str) -> tuple[str, ...]:
    """Return sentences about data that an upgrade to the release `target` would lose."""
    return tuple(_sentence(one, target) for one in rehearsal.lost if one.with_data and not one.back)


def dropped(rehearsal: Rehearsal, target: str) -> tuple[str, ...]:
    """Return sentences about fields without data that an upgrade to the release `target` would drop."""
    return tuple(_sentence(one, target) for one in rehearsal.lost if not one.with_data and not one.back)


def lost_on_way_back(rehearsal: Rehearsal, left: str) -> tuple[str, ...]:
    """Return sentences about fields that a rollback to the release `left` would lose."""
    return tuple(
        f"A rollback {'loses data' if one.with_data else 'drops a field'}: {_sentence(one, left)}"
        for one in rehearsal.lost
        if one.back
    )


def _sentence(one: LostData, target: str) -> str:
    others = one.processes - 1
    more = f" and {others} more process{'es' * (others != 1)}" if others else ""
    place = f" (at {one.path})" if one.path else ""
    data = f"it holds data in {one.with_data} of {one.objects} objects" if one.with_data else "it holds no data now"
    return f"{one.process}{more}{place}: release {target} has no {one.field}, so this field is lost; {data}."
