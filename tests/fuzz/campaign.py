"""A run of a fuzzer: feeds inputs, and counts crashes, hangs, wrong acceptances, files that are left, and memory.

The goals are the same for each fuzzer: none of them, and less than 1 MB of memory per 10,000 inputs.
"""

from __future__ import annotations

import faulthandler
import gc
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import psutil

T = TypeVar("T")
HANG_SECONDS: Final = 10.0
"""An input that takes longer counts as a hang. One that never ends is reported with its stack, and ends the run."""
ENDLESS_SECONDS: Final = 120.0
REARM_SECONDS: Final = 1.0
"""How often the time of the input that never ends begins anew."""
MAX_SLOPE: Final = 1.0
"""Megabytes of memory per 10,000 inputs."""
SAMPLES: Final = 40
"""The number of measurements of memory in one run."""
SHOWN: Final = 3
"""How many inputs of each kind of fault are printed."""


class WronglyAccepted(Exception):
    """An input was accepted that should have been refused, or as something else than it is."""


class FilesLeft(Exception):
    """A refused input has left files."""


@dataclass
class Campaign:
    """The result of one fuzzer so far. `memory()` is the memory in bytes of the program that gets the inputs."""

    name: str
    memory: Callable[[], int] = lambda: psutil.Process().memory_info().rss
    inputs: int = 0
    seconds: float = 0.0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    samples: list[tuple[int, int]] = field(default_factory=list)

    def feed(self, inputs: Iterable[T], number: int, target: Callable[[T], object]) -> None:
        """Call `target` with each of the inputs, of which there are about `number`."""
        step = max(1, number // SAMPLES)
        begun = time.monotonic()
        armed = -REARM_SECONDS
        for one in inputs:
            if self.inputs % step == 0:
                self.sample()
            if time.monotonic() > armed + REARM_SECONDS:  # each time costs more than most of the inputs
                armed = time.monotonic()
                faulthandler.dump_traceback_later(ENDLESS_SECONDS, exit=True)
            self._feed_one(one, target)
            self.inputs += 1
        faulthandler.cancel_dump_traceback_later()
        self.sample()
        self.seconds += time.monotonic() - begun

    def sample(self) -> None:
        """Measure the memory."""
        gc.collect()
        self.samples.append((self.inputs, self.memory()))

    def _feed_one(self, one: T, target: Callable[[T], object]) -> None:
        begun = time.monotonic()
        try:
            target(one)
        except WronglyAccepted as fault:
            self.accepted.append(f"{fault}: {one!r:.300}")
        except FilesLeft as fault:
            self.left.append(f"{fault}: {one!r:.300}")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.crashes.append(f"{type(error).__name__} in {where.name}: {error!s:.200}: {one!r:.300}")
        if time.monotonic() - begun > HANG_SECONDS:
            self.hangs.append(f"{time.monotonic() - begun:.0f} s: {one!r:.300}")

    @property
    def slope(self) -> float:
        """The growth of memory in the second half of the run, in megabytes per 10,000 inputs."""
        half = [sample for sample in self.samples if sample[0] >= self.inputs // 2]
        if len(half) < 2:
            return 0.0
        mean_x, mean_y = (sum(values) / len(half) for values in zip(*half, strict=True))
        spread = sum((x - mean_x) ** 2 for x, _ in half)
        return sum((x - mean_x) * (y - mean_y) for x, y in half) / spread / 1e6 * 1e4 if spread else 0.0

    @property
    def succeeded(self) -> bool:
        """Returns whether all goals are reached."""
        return not (self.crashes or self.hangs or self.accepted or self.left) and self.slope < MAX_SLOPE

    def line(self) -> str:
        """One line of the report."""
        counts = (
            f"{len(self.crashes):7} {len(self.hangs):6} {self.slope:9.3f} {len(self.left):6} {len(self.accepted):9}"
        )
        return f"{self.name:34} {self.inputs:10,} {self.seconds:7.0f} {counts}  {'' if self.succeeded else 'MISSED'}"

    def faults(self) -> list[str]:
        """Some inputs of each kind of fault."""
        kinds = {"crash": self.crashes, "hang": self.hangs, "wrongly accepted": self.accepted, "left": self.left}
        return [f"{self.name}: {kind}: {one}" for kind, found in kinds.items() for one in found[:SHOWN]]


COLUMNS: Final = f"{'crashes':>7} {'hangs':>6} {'MB/10,000':>9} {'left':>6} {'accepted':>9}"
HEADER: Final = f"{'fuzzer':34} {'inputs':>10} {'seconds':>7} {COLUMNS}"
