"""Pending replies: calls that `reply` will answer, maybe after their callback has ended."""

from __future__ import annotations

from node_runtime.processes.errors import Exit
from node_runtime.processes.pid import Pid
from node_runtime.processes.process import MailItem, Process
from node_runtime.processes.reply_future import AnyReplyFuture
from node_runtime.processes.runtime import Runtime


class ReplyingProcess(Process):
    """A process that remembers unanswered calls. If the process ends, each caller gets an Exit."""

    __slots__ = ("pending_replies",)

    def __init__(self, runtime: Runtime, parent: Pid) -> None:
        super().__init__(runtime, parent)
        self.pending_replies: dict[AnyReplyFuture, None] | None = None
        """The calls that any process may answer by `reply`."""

    def add_pending_reply(self, future: AnyReplyFuture) -> None:
        """Remember that `reply` may answer `future`; if the process ends first, the caller gets an Exit."""
        if self.pending_replies is None:
            self.pending_replies = {}
        elif len(self.pending_replies) % 64 == 63:  # from time to time, drop the callers that have given up
            self.pending_replies = {waiting: None for waiting in self.pending_replies if not waiting.done()}
        self.pending_replies[future] = None

    def has_pending_reply(self, item: MailItem) -> bool:
        return self.pending_replies is not None and item[3] in self.pending_replies

    def forget_pending_reply(self, future: AnyReplyFuture) -> None:
        if self.pending_replies is not None:
            self.pending_replies.pop(future, None)

    def on_ended(self) -> None:
        pending, self.pending_replies = self.pending_replies, None
        for future in pending or ():
            if not future.done():
                future.set_exception(Exit(self.reason))
