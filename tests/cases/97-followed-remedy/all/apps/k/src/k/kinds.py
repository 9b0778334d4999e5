from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Job:
    number: int
    priority: int = 5


class Status(Enum):
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class Right(Flag):
    READ = auto()
    WRITE = auto()
    ERASE = auto()


class Point(NamedTuple):
    x: int
    y: int
    z: int = 0
