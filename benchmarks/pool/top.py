"""The pool's supervisor."""

from node_runtime import ChildSpec, Supervisor


class Top(Supervisor):
    """Any number of workers with one specification."""

    strategy = "simple_one_for_one"

    def children(self) -> list[ChildSpec]:
        """Return the specification of the workers."""
        return [ChildSpec("worker", start="pool.worker:start_link")]
