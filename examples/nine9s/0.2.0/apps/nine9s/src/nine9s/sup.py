"""The application's supervisor, whose child is the counter."""

from __future__ import annotations

from node_runtime import ChildSpec, Pid, Supervisor, supervisor


class Nine9sSup(Supervisor):
    """Allows no restart: if a child crashes, its supervisor ends too."""

    strategy, intensity, period = "one_for_all", 0, 1.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("state_handler", start="nine9s.state_handler:start_link", restart="transient", shutdown=60.0)]


async def start_link() -> Pid:
    """Start the supervisor and its children."""
    return await supervisor.start_link(Nine9sSup, name="nine9s_sup")
