"""What loading refuses: each error is a sentence for people and carries the facts it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.protocol.exit_codes import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


class CodeError(Refused):
    """Code could not be loaded, switched or purged. Nothing was changed."""


class LoadFailed(CodeError):
    """A module of the batch doesn't compile, or its body raised; the cause is `__cause__`."""

    def __init__(self, module: str, path: str, line: int, cause: BaseException, advice: str = "") -> None:
        said = cause.msg if isinstance(cause, SyntaxError) else str(cause)
        text = f"{type(cause).__name__}: {said}" if said else type(cause).__name__
        where = f"{path}, line {line}" if line else path
        super().__init__(f"{module} can't be loaded: {text} ({where}). Nothing was changed.{advice}")
        self.module = module
        self.path = path
        self.line = line


class OldVersionHeld(CodeError):
    """A third version was asked for while something holds the old one. Follows code:load_file/1's `not_purged`.

    `pids` and `threads` run it; if there are none, it is only referred to: `CodeServer.holders` finds out by whom.
    """

    def __init__(self, module: str, pids: Sequence[int], threads: Sequence[str] = ()) -> None:
        who = ", ".join([*(f"<{int(pid)}>" for pid in pids), *(f"thread {name}" for name in threads)])
        held = f"that {who} runs" if who else "that nobody runs, but something holds"
        super().__init__(f"{module} still has an old version {held}: wait until it has drained, or purge {module}.")
        self.module = module
        self.pids = tuple(pids)
        self.threads = tuple(threads)
