"""The pool's supervisor."""

from node_runtime import ChildSpec, Supervisor


class Top(Supervisor):
    """All workers are alike."""

    strategy = "simple_one_for_one"

    def children(self) -> list[ChildSpec]:
        """The one specification."""
        return [ChildSpec("worker", start="pool.worker:start_link")]
