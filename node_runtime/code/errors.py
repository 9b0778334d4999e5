"""The errors of the code server. The message of an error is for the operator; its attributes have the same facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_runtime.processes.exit_reasons import describe_reason
from node_runtime.protocol.exit_codes import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node_runtime.protocol.messages import OldCodeHolder


class CodeError(Refused):
    """Code could not be loaded, switched or purged. Nothing was changed."""


class LoadFailed(CodeError):
    """A new version can't be read or compiled, or its body or a hook raised an exception.

    `__cause__` is the original exception.
    """

    def __init__(self, module: str, path: str, line: int, cause: BaseException) -> None:
        text = f"{type(cause).__name__}: {cause.msg}" if isinstance(cause, SyntaxError) else describe_reason(cause)
        where = f"{path}, line {line}" if line else path
        super().__init__(f"{module} can't be loaded: {text} ({where}). Nothing was changed.")
        self.module = module
        self.path = path
        self.line = line


class OldVersionHeld(CodeError):
    """A module can't be loaded or deleted, because something holds its old version.

    At most two versions of a module can be loaded. Follows the error `not_purged` of code:load_file/1. `pids` and
    `threads` run the old version. `holders` has everything that runs or holds the old version. `vsn` is the version of
    the application that the old version belongs to.
    """

    def __init__(
        self,
        module: str,
        pids: Sequence[int],
        threads: Sequence[str] = (),
        holders: Sequence[OldCodeHolder] = (),
        vsn: str = "",
    ) -> None:
        runners = ", ".join([*(f"<{int(pid)}>" for pid in pids), *(f"thread {name}" for name in threads)])
        others = "that no process or thread runs, but that other objects refer to"
        used = f"in use by {runners}" if runners else others
        super().__init__(f"{module} still has an old version {used}: wait until nothing uses it any more, or purge it.")
        self.module = module
        self.pids = tuple(pids)
        self.threads = tuple(threads)
        self.holders = tuple(holders)
        self.vsn = vsn
