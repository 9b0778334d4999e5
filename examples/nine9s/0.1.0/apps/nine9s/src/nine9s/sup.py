"""The application's supervisor. There is nothing to supervise yet."""

from __future__ import annotations

from node_runtime import ChildSpec, Pid, Supervisor, supervisor


class Nine9sSup(Supervisor):
    """All children live and fall together."""

    strategy, intensity, period = "one_for_all", 0, 1.0

    def children(self) -> list[ChildSpec]:
        return []


async def start_link() -> Pid:
    """Start the supervisor and its children."""
    return await supervisor.start_link(Nine9sSup, name="nine9s_sup")
