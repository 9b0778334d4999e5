"""Child specifications: how a supervisor starts, restarts and stops a child."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, assert_never, get_args

from node_runtime.processes.exit_reasons import is_orderly

RestartType: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor", "task"]
Shutdown: TypeAlias = float | Literal["brutal_kill", "infinity"]

DEFAULT_SHUTDOWN_SECONDS: Final = 5.0
"""The time that workers and tasks have to shut down before they are killed."""


@lru_cache(maxsize=1024)
def _only(module: str) -> tuple[str, ...]:
    """Return the tuple `(module,)`. The result is cached, so that all children of the module share it."""
    return (module,)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """The specification of one child. `start` is a "module:function" that returns the pid of a linked process.

    The function is looked up at each start. `restart` says when the child is restarted: a "permanent" child always, a
    "transient" child unless it ended with normal or shutdown, a "temporary" child never. `shutdown` is the number of
    seconds between the exit signal and the kill, or "infinity" or "brutal_kill". The default is 5 s; for a supervisor,
    it is "infinity". For a child of the type "task", `start` is an asyncio coroutine function that runs as the child.
    `modules` are the modules that the child runs; the default is the module of `start`. The end of a `significant`
    child can end its supervisor: see `Supervisor.auto_shutdown`. Raises ValueError for invalid values. Follows
    supervisor:child_spec().
    """

    id: str
    start: str
    args: tuple[Any, ...] = ()
    restart: RestartType = "permanent"
    shutdown: Shutdown | None = None
    type: ChildType = "worker"
    modules: tuple[str, ...] = ()
    significant: bool = False

    @property
    def is_forgotten(self) -> bool:
        """Whether the supervisor forgets the child when it has ended, because it is never restarted."""
        match self.restart:
            case "temporary":
                return True
            case "permanent" | "transient":
                return False
            case _ as unknown:
                assert_never(unknown)

    @property
    def is_supervisor(self) -> bool:
        """Whether the child counts as a supervisor, and not as a worker."""
        match self.type:
            case "supervisor":
                return True
            case "worker" | "task":
                return False
            case _ as unknown:
                assert_never(unknown)

    def restarts_after(self, reason: object) -> bool:
        """Return whether the child is restarted after it has ended with `reason`."""
        match self.restart:
            case "permanent":
                return True
            case "transient":
                return not is_orderly(reason)
            case "temporary":
                return False
            case _ as unknown:
                assert_never(unknown)

    def summary(self) -> str:
        """Return one line about the child's restart, shutdown and start. Omits arguments, since they may be secrets."""
        shutdown = f"shutdown {self.shutdown:g} s" if isinstance(self.shutdown, float | int) else str(self.shutdown)
        words = [self.restart, *(["significant"] if self.significant else []), self.type, shutdown, self.start]
        return ", ".join(words)

    def __post_init__(self) -> None:
        if not (isinstance(self.id, str) and self.id):
            raise ValueError(f"a child's id is {self.id!r}; it must be a non-empty str")
        module, colon, name = self.start.partition(":") if isinstance(self.start, str) else ("", "", "")
        if not (module and colon and name):
            raise self._wrong(f'start is {self.start!r}; write it as "module:function"')
        if self.restart not in get_args(RestartType):
            raise self._wrong(f"restart is {self.restart!r}; use one of {get_args(RestartType)}")
        if self.type not in get_args(ChildType):
            raise self._wrong(f"type is {self.type!r}; use one of {get_args(ChildType)}")
        if self.significant and self.restart == "permanent":
            raise self._wrong("a permanent child is always restarted, so it can't be significant; make it transient")
        modules = self._as_tuple("modules", self.modules)
        for module in modules:
            if not isinstance(module, str):
                raise self._wrong(f"modules are {self.modules!r}; use a tuple of module names")
        set_field = object.__setattr__
        set_field(self, "shutdown", self._checked_shutdown())
        if type(self.args) is not tuple:
            set_field(self, "args", self._as_tuple("args", self.args))
        set_field(self, "modules", modules or _only(module))

    def _checked_shutdown(self) -> Shutdown:
        shutdown = self.shutdown
        if shutdown is None:
            return "infinity" if self.is_supervisor else DEFAULT_SHUTDOWN_SECONDS
        if isinstance(shutdown, str):
            if shutdown in ("brutal_kill", "infinity"):
                return shutdown
        elif isinstance(shutdown, float | int) and shutdown >= 0:
            return shutdown
        elif isinstance(shutdown, float | int):
            raise self._wrong(f"shutdown is {shutdown!r}; seconds can't be negative")
        raise self._wrong(f'shutdown is {shutdown!r}; use seconds, "brutal_kill" or "infinity"')

    def _as_tuple(self, field: str, value: object) -> tuple[Any, ...]:
        if type(value) is tuple:
            return value
        if not isinstance(value, tuple | list):
            raise self._wrong(f"{field} are {value!r}; use a tuple")
        return tuple(value)

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"child {self.id!r}: {what}")
