"""The workers of a node as text: how many run, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotdash.model.styled_text import Line, line, span
from node_runtime.protocol import messages as m


def worker_line(worker: m.WorkerInfo, leader: m.WorkerInfo) -> Line:
    """Return the line of one worker; a release that differs from that of worker 1, the `leader`, is highlighted."""
    if not worker.vsn:
        return line(span(f"{worker.number}  down", "bad"), f"  {worker.down or 'it is being started'}")
    release = span(worker.vsn, "strong" if worker.vsn == leader.vsn else "warn")
    leads = ", leads" if worker is leader else ""
    return line(f"{worker.number}  ", release, f"  process {worker.os_pid}", span(f"  {worker.name}{leads}", "muted"))


def workers_words(workers: Sequence[m.WorkerInfo]) -> Line:
    """Return how many workers of a node run, for a cell of a table; empty if it has only one."""
    if not workers:
        return ()
    running = sum(bool(one.vsn) for one in workers)
    together = {one.vsn for one in workers if one.vsn} == {workers[0].vsn}
    words = f"{running} of {len(workers)}" if running < len(workers) else str(running)
    return (span(words if together else f"{words}, mixed", "ok" if words == str(running) and together else "warn"),)


def worker_troubles(workers: Sequence[m.WorkerInfo]) -> Iterator[str]:
    """Yield a sentence for each worker that is down, or that runs another release than worker 1."""
    for one in workers:
        if not one.vsn:
            yield f"worker {one.number} is down: {one.down or 'it is being started'}"
        elif one.vsn != workers[0].vsn:
            yield f"worker {one.number} runs release {one.vsn}, and worker 1 release {workers[0].vsn}"
