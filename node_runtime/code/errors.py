"""The errors of the code server. Each message is a sentence for the operator; attributes have its facts."""

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
        reason = cause.msg if isinstance(cause, SyntaxError) else str(cause)
        text = f"{type(cause).__name__}: {reason}" if reason else type(cause).__name__
        where = f"{path}, line {line}" if line else path
        super().__init__(f"{module} can't be loaded: {text} ({where}). Nothing was changed.{advice}")
        self.module = module
        self.path = path
        self.line = line


class OldVersionHeld(CodeError):
    """A third version was requested while something holds the old one. Follows code:load_file/1's `not_purged`.

    `pids` and `threads` run it. If there are none, other objects refer to it, which `CodeServer.holders` finds.
    """

    def __init__(self, module: str, pids: Sequence[int], threads: Sequence[str] = ()) -> None:
        runners = ", ".join([*(f"<{int(pid)}>" for pid in pids), *(f"thread {name}" for name in threads)])
        held = f"that {runners} runs" if runners else "that no process or thread runs, but other objects hold"
        super().__init__(f"{module} still has an old version {held}: wait until it has drained, or purge {module}.")
        self.module = module
        self.pids = tuple(pids)
        self.threads = tuple(threads)
