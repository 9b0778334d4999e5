from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Optional, get_type_hints

from k.polls import Poll

POLLS: dict[int, Poll] = {}
LATEST: Optional[Poll] = None
NAMED: "dict[str, Poll]" = {}
CHECKS: list[Callable[[Poll], bool]] = []


def add(poll: Poll) -> Poll:
    POLLS[len(POLLS)] = poll
    BOARD.others.append(poll)
    return poll


def find(title: str, among: Annotated[list[Poll] | None, "all by default"] = None) -> "Poll | None":
    polls = POLLS.values() if among is None else among
    return next((one for one in polls if one.title == title), None)


@dataclass
class Board:
    top: Poll | None = None
    others: list[Poll] = field(default_factory=list)


BOARD = Board()


class Shelf:
    first: Poll | None = None

    def put(self, poll: Poll, *more: Poll) -> list["Poll"]:
        self.first = poll
        return [poll, *more]

    @property
    def top(self) -> Optional[Poll]:
        return self.first


def hints():
    found = [get_type_hints(one) for one in (add, find, Board, Shelf, Shelf.put, Shelf.top.fget)]
    return [*found, {one.name: one.type for one in fields(Board)}]
