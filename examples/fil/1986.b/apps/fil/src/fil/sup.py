"""The application's supervisor: it restarts the colour machine, at most five times in ten seconds."""

from __future__ import annotations

from node_runtime import ChildSpec, Pid, Supervisor, supervisor


class FilSup(Supervisor):
    """Restarts the child that has ended, and no other."""

    strategy, intensity, period = "one_for_one", 5, 10.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("fil_color_fsm", start="fil.color_fsm:start_link", restart="permanent", shutdown=5.0)]


async def start_link() -> Pid:
    """Start the supervisor and its children."""
    return await supervisor.start_link(FilSup, name="fil_sup")
