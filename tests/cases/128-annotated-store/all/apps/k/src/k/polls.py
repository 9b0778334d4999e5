from dataclasses import dataclass


@dataclass
class Poll:
    title: str


def of(title: str) -> Poll:
    return Poll(title)
