"""A finding: a value of replaced or deleted code, such as an instance of a class, and the process that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node_runtime.protocol.messages import ValueOutcome
from node_runtime.releases.migration import Obstacle

from .held_values import HeldValue
from .value_search import FoundValue

MigratedBy = Literal["code_change", "default migration"]


@dataclass(slots=True)
class Finding:
    """A value of replaced or deleted code that a process holds.

    `obstacle` says why a message, timer or event can't be converted. If the value is still in the new state, `left_by`
    says what has made this state: the process's code_change or, if its class has none, the default migration.
    """

    at: HeldValue
    found: FoundValue
    outcome: ValueOutcome
    obstacle: Obstacle | None = None
    left_by: MigratedBy | None = None

    @property
    def pid(self) -> int:
        """The pid of the process that holds the value."""
        return int(self.at.process.pid)
