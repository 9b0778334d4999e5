"""The exit codes of every command, and the error `Refused`, which has an exit code.

The text of a `Refused` is a sentence that names the affected thing and the remedy. Every failure of a command raises a
`Refused`; a traceback on stderr is a bug.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `hotdash`, `node-runtime` and a release's `bin/` script.

    UNKNOWN_OUTCOME: no reply arrived, so the node may or may not have carried out the request.
    CHANGED_OTHERWISE: the node changed in another way than requested, for example by a revert.
    """

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    UNKNOWN_OUTCOME = 5
    CHANGED_OTHERWISE = 6

    @classmethod
    def _missing_(cls, value: object) -> ExitCode:
        """Return REFUSED for an exit code that this version doesn't know. A newer node may send such a code."""
        return cls.REFUSED


class Refused(Exception):
    """A failed request or command, with the exit code of the command.

    `sentence` names the affected thing and the remedy. `operation` is the id of the failed operation, if there was one.
    If the node refuses only because the client's budget is used up, the same request succeeds after `retry_after`
    seconds; otherwise `retry_after` is None. OK is not an error code: if a node sends OK, the code becomes REFUSED.
    """

    def __init__(
        self,
        sentence: str,
        code: ExitCode = ExitCode.REFUSED,
        operation: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or ExitCode.REFUSED
        self.operation = operation
        self.retry_after = retry_after
