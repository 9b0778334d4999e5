from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    INFO = "info"


@dataclass
class Tag:
    name: str
    kind: Kind
