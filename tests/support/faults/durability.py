"""Contents and names of files that a power cut could lose, because no fsync has made them durable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from .injector import Step


def lost_by_power_cuts(steps: Iterable[Step]) -> Iterator[tuple[Step | None, frozenset[str]]]:
    """Yield each step with the paths whose name or content a power cut just before it could lose; at the end, None.

    Deleted names don't count: a boot deletes again what comes back.
    """
    contents: set[str] = set()
    names: set[str] = set()
    for step in steps:
        yield step, frozenset(contents | names)
        if step.kind in {"fsync", "fdatasync"}:
            contents.discard(step.path)
            names = {name for name in names if os.path.dirname(name) != step.path}
        elif step.kind in {"write", "truncate", "ftruncate"}:
            contents.add(step.path)
        elif step.kind in {"create", "mkdir", "link"}:
            names.add(step.target or step.path)
        elif step.kind in {"rename", "replace"}:
            contents, names = _moved(contents, step), _moved(names, step) | {step.target}
        elif step.kind in {"unlink", "remove", "rmdir"}:
            contents.discard(step.path)
            names.discard(step.path)
    yield None, frozenset(contents | names)


def _moved(paths: set[str], step: Step) -> set[str]:
    below = {path for path in paths if path.startswith(f"{step.path}/")}
    return (paths - below - {step.path}) | {step.target + path.removeprefix(step.path) for path in below}
