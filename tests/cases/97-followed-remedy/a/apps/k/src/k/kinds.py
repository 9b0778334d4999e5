from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Job:
    number: int


class Status(Enum):
    OPEN = "open"
    PAID = "paid"


class Right(Flag):
    READ = auto()
    WRITE = auto()


class Point(NamedTuple):
    x: int
    y: int
