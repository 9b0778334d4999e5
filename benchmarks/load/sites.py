"""The sites under load: their pages, and the answers that their versions give."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Page:
    """A page: its path, and for each status that it may have, the pattern of the whole body."""

    path: str
    answers: dict[int, re.Pattern[bytes]]

    @property
    def request(self) -> bytes:
        """The bytes of a request."""
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    def is_right(self, status: int, body: bytes) -> bool:
        """Return whether a version of the site gives this answer."""
        pattern = self.answers.get(status)
        return pattern is not None and pattern.fullmatch(body) is not None


def page(path: str, **answers: bytes) -> Page:
    """Return a page; `answers` are the patterns by status, such as s200=b"Hello"."""
    return Page(path, {int(status[1:]): re.compile(body, re.DOTALL) for status, body in answers.items()})


HELLO: Final = page("/", s200=rb"Hello world(!| 2 !)")
COUNT: Final = page("/count", s200=rb"\d+", s404=rb"Not Found")
STATUS: Final = page(
    "/status",
    s200=rb'\{"vsn":"1\.(0","seconds":\d+,"rooms":\[[\w",]*\]|1","seconds":\d+,"rooms":\[[\w",]*\],"messages":\d+)\}',
)
HUB: Final = page("/", s200=rb"<!doctype html>\n<html lang=\"en\">.*<title>hub</title>.*</script>\n")

SITES: Final[dict[str, tuple[Page, ...]]] = {"nine9s": (*[HELLO] * 9, COUNT), "hub": (*[STATUS] * 9, HUB)}
"""The pages of each site, in the order in which they are asked for."""
