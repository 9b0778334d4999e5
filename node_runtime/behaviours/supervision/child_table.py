"""The state of a supervisor: its flags, its children, and the times of its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, assert_never, get_args

from node_runtime.processes.pid import Pid

from .child_spec import ChildSpec
from .plain_arguments import are_plain
from .restart_strategy import RestartStrategy, has_template

if TYPE_CHECKING:
    from .supervisor import Supervisor

AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]

MAX_OUTLINED_CHILDREN: Final = 200
"""The maximum number of children that an outline names."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Delays between the restarts of a child that keeps failing. OTP has no such delays.

    The first restart is immediate. The second restart waits for `first` seconds after the failure. Each further restart
    waits twice as long as the one before, at most `most` seconds. When a child has run for `most` seconds, its next
    restart is immediate again.
    """

    first: float = 0.1
    most: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.most:
            delays = f"{self.first:g} to {self.most:g} s"
            raise ValueError(f"back_off is {delays}; the first delay must be above 0 and at most the longest delay")

    def seconds(self, failures: int) -> float:
        """Return the seconds to wait before the restart after this number of `failures` in a row."""
        return 0.0 if failures < 2 else min(self.most, self.first * 2.0 ** min(failures - 2, 64))


@dataclass(frozen=True, slots=True)
class Flags:
    """The settings of a supervisor: how it restarts children, and when it ends.

    The supervisor makes at most `intensity` restarts in `period` seconds. Raises ValueError for invalid values. Follows
    supervisor:sup_flags().
    """

    strategy: RestartStrategy
    intensity: int
    period: float
    auto_shutdown: AutoShutdown = "never"
    back_off: BackOff | None = None

    def __post_init__(self) -> None:
        if self.strategy not in get_args(RestartStrategy):
            raise ValueError(f"strategy is {self.strategy!r}; use one of {get_args(RestartStrategy)}")
        if not isinstance(self.intensity, int) or self.intensity < 0:
            raise ValueError(f"intensity is {self.intensity!r}; it is a number of restarts and can't be negative")
        if not isinstance(self.period, float | int) or not self.period > 0:
            raise ValueError(f"period is {self.period!r}; it is a time in seconds and must be positive")
        if self.auto_shutdown not in get_args(AutoShutdown):
            raise ValueError(f"auto_shutdown is {self.auto_shutdown!r}; use one of {get_args(AutoShutdown)}")
        if self.auto_shutdown != "never" and has_template(self.strategy):
            raise ValueError(f"a {self.strategy} supervisor's auto_shutdown must be 'never'")
        if self.back_off is not None and not isinstance(self.back_off, BackOff):
            raise ValueError(f"back_off is {self.back_off!r}; use BackOff(first, most) or None")

    def check(self, spec: object) -> ChildSpec:
        """Return `spec` if a supervisor with these flags may have such a child. Raises ValueError."""
        if not isinstance(spec, ChildSpec):
            raise ValueError(f"{spec!r} is not a child specification; use ChildSpec(id, start)")
        if spec.significant and self.auto_shutdown == "never":
            raise ValueError(f"child {spec.id!r} is significant, but auto_shutdown is 'never'; change one of them")
        return spec


@dataclass(slots=True, eq=False)
class RetryState:
    """How often a child has failed in a row, and its scheduled restart, if any."""

    failures: int = 0
    """The number of times that the child has ended since it last ran for at least `BackOff.most` seconds."""
    running_since: float = 0.0
    """When the child was started, on the monotonic clock; set only with a back-off."""
    retry: asyncio.Handle | None = None


@dataclass(slots=True, eq=False)
class Child:
    """A child, or an instance of a simple_one_for_one supervisor: its specification and its state.

    `args` are the arguments of an instance: first those in the specification, then those that `start_child` has added.
    `args` is None if the child is not an instance.
    """

    spec: ChildSpec
    args: tuple[Any, ...] | None = None
    pid: Pid | None = None
    restarting: bool = False
    restarts: int = 0
    retry_state: RetryState | None = None

    def status(self) -> str:
        """Return the pid of the child while it runs, else "restarting" or "not running"."""
        return "restarting" if self.restarting else "not running" if self.pid is None else str(self.pid)

    def ensure_retry_state(self) -> RetryState:
        """Return `retry_state`. Create it first if it is None."""
        if self.retry_state is None:
            self.retry_state = RetryState()
        return self.retry_state


class ChildSpecChangeCounter:
    """A counter of the changes of a node's child specifications since the node started.

    Specifications of temporary children don't count, because they are dropped when their children end.
    """

    def __init__(self) -> None:
        self.changes = 0

    def changed(self, spec: ChildSpec) -> None:
        """Count one more change: `spec` was added or deleted. The specification of a temporary child doesn't count."""
        self.changes += not spec.is_forgotten


@dataclass(slots=True)
class ChildTable:
    """The state of a supervisor.

    `children` are in start order. A simple_one_for_one supervisor has a `template` instead, and its instances are only
    in `by_pid`; while an instance is being restarted, its key is its previous pid.
    """

    flags: Flags
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    template: ChildSpec | None = None
    children: dict[str, Child] = field(default_factory=dict)
    by_pid: dict[int, Child] = field(default_factory=dict)
    unhandled_exits: dict[int, object] = field(default_factory=dict)
    """Exit reasons of children whose EXIT the supervisor has not handled yet, by pid."""
    restarts: list[float] = field(default_factory=list)
    class_child_ids: tuple[str, ...] = ()
    """The ids that `children()` has returned; other children were added later."""
    has_objects: bool = False
    """Whether a restartable instance was ever started with an argument that is not plain (see `plain_arguments`)."""

    @classmethod
    def of(cls, supervisor: Supervisor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ChildTable:
        """Return the table that the class defines, without starting a child. Raises ValueError for invalid values."""
        with _naming(supervisor):
            flags = Flags(
                supervisor.strategy,
                supervisor.intensity,
                supervisor.period,
                supervisor.auto_shutdown,
                supervisor.back_off,
            )
        specs: object = supervisor.children(*args, **kwargs)  # an error of `children()` keeps its traceback
        with _naming(supervisor):
            if not isinstance(specs, list | tuple):
                raise ValueError(f"children() returned {specs!r}; it must return a list of ChildSpec")
            return cls(flags, args, kwargs)._filled([flags.check(spec) for spec in specs])

    def _filled(self, specs: list[ChildSpec]) -> ChildTable:
        if has_template(self.flags.strategy):
            if len(specs) != 1:
                raise ValueError(f"a {self.flags.strategy} supervisor has one child specification, not {len(specs)}")
            self.template = specs[0]
            return self
        for spec in specs:
            if spec.id in self.children:
                raise ValueError(f"two children have the id {spec.id!r}; give each its own")
            self.children[spec.id] = Child(spec)
        self.class_child_ids = tuple(self.children)
        return self

    def outline(self) -> dict[str, object]:
        """Return a summary of the table in builtin values: the flags, and at most `MAX_OUTLINED_CHILDREN` children."""
        flags = self.flags
        outline: dict[str, object] = {
            "strategy": flags.strategy,
            "intensity": f"{flags.intensity} in {flags.period:g} s",
        }
        if flags.auto_shutdown != "never":
            outline["auto_shutdown"] = flags.auto_shutdown
        if flags.back_off is not None:
            outline["back_off"] = f"{flags.back_off.first:g} to {flags.back_off.most:g} s"
        if self.template is not None:
            outline["children"] = {self.template.id: f"{len(self.by_pid)} instances, {self.template.summary()}"}
            return outline
        outline["children"] = {
            child.spec.id: f"{child.status()}, {child.spec.summary()}"
            for child in islice(self.children.values(), MAX_OUTLINED_CHILDREN)
        }
        if len(self.children) > MAX_OUTLINED_CHILDREN:
            outline["more"] = len(self.children) - MAX_OUTLINED_CHILDREN
        return outline

    def copied(self) -> ChildTable:
        """Return a copy of the table; both tables share the Child objects."""
        return replace(
            self,
            children=dict(self.children),
            by_pid=dict(self.by_pid),
            restarts=list(self.restarts),
            class_child_ids=self.class_child_ids,
        )

    def separate(self, key: str | int) -> None:
        """Replace a Child that this table shares with another table (see `copied`) by a copy of the Child."""
        child = self.find(key)
        if child is None:
            return
        own = replace(child, retry_state=None)  # a scheduled retry belongs to the original
        if child.args is None:
            self.children[child.spec.id] = own
        for pid in [key] if isinstance(key, int) else [] if child.pid is None else [child.pid]:
            self.by_pid[pid] = own

    def find(self, key: str | int) -> Child | None:
        """Return the child with this id, or the instance with this pid."""
        return self.children.get(key) if isinstance(key, str) else self.by_pid.get(key)

    def started(self, child: Child, pid: Pid | None, *, keep: bool = False) -> None:
        """Record that the child runs as `pid`.

        `pid` is None if the child's start function raised Ignore. In this case, a temporary child is forgotten, unless
        `keep` is true.
        """
        child.pid, child.restarting = pid, False
        if pid is None:
            if child.spec.is_forgotten and not keep:
                self.children.pop(child.spec.id, None)
            return
        self.by_pid[pid] = child
        if self.flags.back_off is not None:
            child.ensure_retry_state().running_since = monotonic()
        if child.spec.is_forgotten:
            forget_arguments(child)
        elif not are_plain(child.args):
            self.has_objects = True

    def ended(self, child: Child) -> None:
        """Record that the child no longer runs and isn't being restarted. A temporary child is forgotten."""
        if child.pid is not None:
            self.by_pid.pop(child.pid, None)
            self.unhandled_exits.pop(child.pid, None)
        if child.retry_state is not None and child.retry_state.retry is not None:
            child.retry_state.retry.cancel()
            child.retry_state.retry = None
        child.pid, child.restarting = None, False
        if child.spec.is_forgotten:
            self.children.pop(child.spec.id, None)

    def may_restart(self) -> bool:
        """Count one more restart. Returns whether there are at most `intensity` restarts in `period` seconds."""
        now = monotonic()
        self.restarts = [*(at for at in self.restarts if at >= now - self.flags.period), now]
        return len(self.restarts) <= self.flags.intensity

    def restart_delay(self, child: Child) -> float:
        """Count a failure of the child, and return the seconds before its next restart."""
        back_off = self.flags.back_off
        if back_off is None:
            return 0.0
        state = child.ensure_retry_state()
        if state.running_since and monotonic() - state.running_since >= back_off.most:
            state.failures = 0
        state.running_since = 0.0
        state.failures += 1
        return back_off.seconds(state.failures)

    def shuts_down_after(self, child: Child) -> bool:
        """Return whether the supervisor shuts down because this child has ended by itself and isn't restarted."""
        if not child.spec.significant:
            return False
        match self.flags.auto_shutdown:
            case "never":
                return False
            case "any_significant":
                return True
            case "all_significant":
                return not any(
                    other.spec.significant and (other.pid or other.restarting) for other in self.children.values()
                )
            case _ as unknown:
                assert_never(unknown)


@contextmanager
def _naming(supervisor: Supervisor) -> Iterator[None]:
    """Prefix the text of a ValueError from the `with` body with the name of the supervisor's class."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{type(supervisor).__qualname__}: {error}") from None


def forget_arguments(child: Child) -> None:
    """Drop the arguments of a child that is never started again, because they may be large."""
    if child.args is not None:
        child.args = ()
    elif child.spec.args:
        child.spec = replace(child.spec, args=())
