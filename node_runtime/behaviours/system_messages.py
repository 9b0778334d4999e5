"""Tags of the messages that the runtime itself puts into mailboxes."""

from __future__ import annotations

from typing import Final


class MailTag:
    """The kind of a message from the runtime. No value that user code sends equals a tag."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


INIT: Final = MailTag("init")
"""The tag of the message that makes a process run `init`; the message contains the arguments."""
STOP: Final = MailTag("stop")
"""The tag of the message that makes a process terminate; the message contains the reason."""
