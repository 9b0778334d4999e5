from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    number: int
    legacy: str = "x"
