"""Low-level instructions in words, as a plan shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from node_runtime.releases.files.appup_instructions import Low


def sentence(step: Low) -> str:
    """One instruction for people."""
    say = _WORDS.get(step[0])
    return say(*step[1:]) if say is not None else str(step[0]).replace("_", " ")


def _named(entries: Iterable[Any]) -> str:
    """The modules of a list whose entries are names or begin with one."""
    return ", ".join(entry if isinstance(entry, str) else str(entry[0]) for entry in entries)


def _apply(function: str, args: list[Any], options: dict[str, str | None]) -> str:
    shown = ", ".join(json.dumps(arg, ensure_ascii=False, default=str) for arg in args)
    return f"apply {function}({shown})" + (f", undone by {options['undo']}" if options["undo"] else "")


_WORDS: dict[str, Callable[..., str]] = {
    "load_object_code": lambda app, vsn, modules: f"read the code of {app} {vsn}: {', '.join(modules)}",
    "suspend": lambda modules: f"suspend the processes of {_named(modules)}",
    "resume": lambda modules: f"resume the processes of {_named(modules)}",
    "stop": lambda modules: f"stop the processes of {_named(modules)}",
    "start": lambda modules: f"start the processes of {_named(modules)}",
    "load": lambda module, *_: f"load {module}",
    "remove": lambda module, *_: f"remove {module}",
    "purge": lambda modules: f"purge the old code of {_named(modules)}",
    "code_change": lambda direction, pairs: f"code_change {direction} for the processes of {_named(pairs)}",
    "apply": _apply,
    "sync_nodes": lambda name, nodes: f"wait at {name} for {', '.join(nodes)}",
}
