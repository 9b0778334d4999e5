"""The state of a supervisor: its flags, its children, and when it has restarted some."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from node_runtime.processes.pid import Pid

from .child_spec import ChildSpec

if TYPE_CHECKING:
    from .supervisor import Supervisor

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]

SHOWN: Final = 200
"""How many children an outline names."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long a child that keeps failing waits for its next restart. OTP has no such thing.

    The first restart is made at once, the next one `first` seconds after the failure, and each further one waits
    twice as long, at most `most` seconds. A child that has run for `most` seconds begins anew.
    """

    first: float = 0.1
    most: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.most:
            raise ValueError(f"back_off is {self.first:g} to {self.most:g} s; it can't begin at 0 or shrink")

    def seconds(self, failures: int) -> float:
        """The seconds to wait before the restart that follows on so many `failures` in a row."""
        return 0.0 if failures < 2 else min(self.most, self.first * 2.0 ** min(failures - 2, 64))


@dataclass(frozen=True, slots=True)
class Flags:
    """How a supervisor restarts, and when it ends. Raises ValueError for what makes no sense.

    At most `intensity` restarts are made in `period` seconds. Follows supervisor:sup_flags().
    """

    strategy: Strategy
    intensity: int
    period: float
    auto_shutdown: AutoShutdown = "never"
    back_off: BackOff | None = None

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise ValueError(f"strategy is {self.strategy!r}; use one of {get_args(Strategy)}")
        if not isinstance(self.intensity, int) or self.intensity < 0:
            raise ValueError(f"intensity is {self.intensity!r}; it is a number of restarts and can't be negative")
        if not isinstance(self.period, float | int) or not self.period > 0:
            raise ValueError(f"period is {self.period!r}; it is a time in seconds and must be positive")
        if self.auto_shutdown not in get_args(AutoShutdown):
            raise ValueError(f"auto_shutdown is {self.auto_shutdown!r}; use one of {get_args(AutoShutdown)}")
        if self.auto_shutdown != "never" and self.strategy == "simple_one_for_one":
            raise ValueError("a simple_one_for_one supervisor's auto_shutdown must be 'never'")
        if self.back_off is not None and not isinstance(self.back_off, BackOff):
            raise ValueError(f"back_off is {self.back_off!r}; use BackOff(first, most) or None")

    def check(self, spec: object) -> ChildSpec:
        """`spec`, if a supervisor with these flags may have such a child. Raises ValueError."""
        if not isinstance(spec, ChildSpec):
            raise ValueError(f"{spec!r} is no child specification; use ChildSpec(id, start)")
        if spec.significant and self.auto_shutdown == "never":
            raise ValueError(f"child {spec.id!r} is significant, but auto_shutdown is 'never'")
        return spec


@dataclass(slots=True, eq=False)
class Waits:
    """What has to be known of a child that waits for its restart, or may have to."""

    failures: int = 0
    """How often it ended since it last ran for as long as the back-off can last."""
    since: float = 0.0
    """When it began to run, by the monotonic clock; kept for the back-off only."""
    retry: asyncio.Handle | None = None


@dataclass(slots=True, eq=False)
class Child:
    """A child specification and what has become of it; in a simple_one_for_one supervisor, one instance of it.

    `args` are those that an instance is started with, the specification's and its own; None if it is no instance.
    """

    spec: ChildSpec
    args: tuple[Any, ...] | None = None
    pid: Pid | None = None
    restarting: bool = False
    restarts: int = 0
    waits: Waits | None = None

    def status(self) -> str:
        """Its pid while it runs, else why not, in words."""
        return "restarting" if self.restarting else "not running" if self.pid is None else str(self.pid)

    def waiting(self) -> Waits:
        """Its `waits`, which most children never need."""
        if self.waits is None:
            self.waits = Waits()
        return self.waits


class Specifications:
    """How often the child specifications of a node were changed since it started.

    A temporary child's goes with it; so these are births and deaths, and don't count.
    """

    def __init__(self) -> None:
        self.changes = 0

    def changed(self, spec: ChildSpec) -> None:
        """This one was added or deleted."""
        self.changes += spec.restart != "temporary"


@dataclass(slots=True)
class Table:
    """What a supervisor has instead of a state of its own.

    `children` are in start order. A simple_one_for_one supervisor has a `template` instead, and its instances stand
    in `by_pid` only, one that is being restarted under the pid that it had.
    """

    flags: Flags
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    template: ChildSpec | None = None
    children: dict[str, Child] = field(default_factory=dict)
    by_pid: dict[int, Child] = field(default_factory=dict)
    gone: dict[int, object] = field(default_factory=dict)
    """Why children have ended of whose ends the supervisor has not heard yet, by pid."""
    restarts: list[float] = field(default_factory=list)
    named: tuple[str, ...] = ()
    """The ids that `children()` has named. What else is in `children` was added later."""

    @classmethod
    def of(cls, supervisor: Supervisor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """What the class says, with no child started. Raises ValueError for what makes no sense."""
        name = type(supervisor).__qualname__
        try:
            flags = Flags(
                supervisor.strategy,
                supervisor.intensity,
                supervisor.period,
                supervisor.auto_shutdown,
                supervisor.back_off,
            )
            specs = supervisor.children(*args, **kwargs)
            if not isinstance(specs, list | tuple):
                raise ValueError(f"children() returned {specs!r}; it returns a list of ChildSpec")
            return cls(flags, args, kwargs)._filled([flags.check(spec) for spec in specs])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def _filled(self, specs: list[ChildSpec]) -> Table:
        if self.flags.strategy == "simple_one_for_one":
            if len(specs) != 1:
                raise ValueError(f"a simple_one_for_one supervisor has one child specification, not {len(specs)}")
            self.template = specs[0]
            return self
        for spec in specs:
            if spec.id in self.children:
                raise ValueError(f"there are two children with the id {spec.id!r}")
            self.children[spec.id] = Child(spec)
        self.named = tuple(self.children)
        return self

    def outline(self) -> dict[str, object]:
        """What people are shown of it, in builtin values: how it restarts, and the first of its children."""
        flags = self.flags
        told: dict[str, object] = {"strategy": flags.strategy, "intensity": f"{flags.intensity} in {flags.period:g} s"}
        if flags.auto_shutdown != "never":
            told["auto_shutdown"] = flags.auto_shutdown
        if flags.back_off is not None:
            told["back_off"] = f"{flags.back_off.first:g} to {flags.back_off.most:g} s"
        if self.template is not None:
            told["children"] = {self.template.id: f"{len(self.by_pid)} instances, {self.template.in_words()}"}
            return told
        told["children"] = {
            child.spec.id: f"{child.status()}, {child.spec.in_words()}"
            for child in islice(self.children.values(), SHOWN)
        }
        if len(self.children) > SHOWN:
            told["more"] = len(self.children) - SHOWN
        return told

    def copied(self) -> Table:
        """One like this that has its children in common with it."""
        return replace(
            self, children=dict(self.children), by_pid=dict(self.by_pid), restarts=list(self.restarts), named=self.named
        )

    def separate(self, key: str | int) -> None:
        """Have a child for itself that it has in common with the table that it was copied from."""
        child = self.find(key)
        if child is None:
            return
        own = replace(child, waits=None)  # the retry that waits is the other's
        if child.args is None:
            self.children[child.spec.id] = own
        for pid in [key] if isinstance(key, int) else [] if child.pid is None else [child.pid]:
            self.by_pid[pid] = own

    def find(self, key: str | int) -> Child | None:
        """The child with this id, or the instance with this pid."""
        return self.children.get(key) if isinstance(key, str) else self.by_pid.get(key)

    def ran(self, child: Child, pid: Pid | None) -> None:
        """The child runs as `pid`, or has said that there is nothing to do."""
        child.pid, child.restarting = pid, False
        if pid is None:
            if child.spec.restart == "temporary":
                self.children.pop(child.spec.id, None)
            return
        self.by_pid[pid] = child
        if self.flags.back_off is not None:
            child.waiting().since = monotonic()
        if child.spec.restart == "temporary":
            forget_arguments(child)

    def ended(self, child: Child) -> None:
        """The child doesn't run any more and isn't restarted now. A temporary one is forgotten."""
        if child.pid is not None:
            self.by_pid.pop(child.pid, None)
            self.gone.pop(child.pid, None)
        if child.waits is not None and child.waits.retry is not None:
            child.waits.retry.cancel()
            child.waits.retry = None
        child.pid, child.restarting = None, False
        if child.spec.restart == "temporary":
            self.children.pop(child.spec.id, None)

    def may_restart(self) -> bool:
        """Count one more restart; whether that is within `intensity` restarts in `period` seconds."""
        now = monotonic()
        self.restarts = [*(at for at in self.restarts if at >= now - self.flags.period), now]
        return len(self.restarts) <= self.flags.intensity

    def seconds_to_wait(self, child: Child) -> float:
        """How long the next restart of a child that has just failed has to wait; counts the failure."""
        back_off = self.flags.back_off
        if back_off is None:
            return 0.0
        waits = child.waiting()
        if waits.since and monotonic() - waits.since >= back_off.most:
            waits.failures = 0
        waits.since = 0.0
        waits.failures += 1
        return back_off.seconds(waits.failures)

    def ends_with(self, child: Child) -> bool:
        """Whether the supervisor ends now that this child has ended by itself and for good."""
        if not child.spec.significant or self.flags.auto_shutdown == "never":
            return False
        if self.flags.auto_shutdown == "any_significant":
            return True
        return not any(one.spec.significant and (one.pid or one.restarting) for one in self.children.values())


def forget_arguments(child: Child) -> None:
    """Let go of the arguments of a child that is never started again: they may be big."""
    if child.args is not None:
        child.args = ()
    elif child.spec.args:
        child.spec = replace(child.spec, args=())
