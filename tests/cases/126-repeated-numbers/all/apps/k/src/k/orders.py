import itertools
import random
from dataclasses import dataclass, field

VSN = "@VSN@"
dice = random.Random(42)


@dataclass
class Order:
    what: str
    number: int = field(default_factory=itertools.count(1).__next__)
