"""What a supervisor knows about a child before it is started."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor", "task"]
Shutdown: TypeAlias = float | Literal["brutal_kill", "infinity"]

RESTARTS: Final = get_args(Restart)
TYPES: Final = get_args(ChildType)
WORKER_SHUTDOWN: Final = 5.0


@lru_cache(maxsize=1024)
def _alone(module: str) -> tuple[str, ...]:
    """The one tuple of just this module, for all children that have it."""
    return (module,)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child: `start` is a "module:function" that is looked up at each start and returns the pid it has linked.

    `restart`: "permanent" always, "transient" unless it ended with normal or shutdown, "temporary" never.
    `shutdown`: seconds between the order to shut down and the kill, "infinity" or "brutal_kill"; by default 5 s, and
    "infinity" for a supervisor. A child of the type "task" has an asyncio coroutine function as `start`, which runs as
    the child. `modules` are the modules it runs, by default that of `start`. A `significant` child is one whose end
    can end its supervisor, see `Supervisor.auto_shutdown`. Raises ValueError for what makes no sense. Follows
    supervisor:child_spec().
    """

    id: str
    start: str
    args: tuple[Any, ...] = ()
    restart: Restart = "permanent"
    shutdown: Shutdown | None = None
    type: ChildType = "worker"
    modules: tuple[str, ...] = ()
    significant: bool = False

    def in_words(self) -> str:
        """How it is started, restarted and ended; without its arguments, which may be secret."""
        shutdown = f"shutdown {self.shutdown:g} s" if isinstance(self.shutdown, float | int) else str(self.shutdown)
        words = [self.restart, *(["significant"] if self.significant else []), self.type, shutdown, self.start]
        return ", ".join(words)

    def __post_init__(self) -> None:
        if not (isinstance(self.id, str) and self.id):
            raise ValueError(f"a child's id is {self.id!r}; it is a text that isn't empty")
        module, colon, name = self.start.partition(":") if isinstance(self.start, str) else ("", "", "")
        if not (module and colon and name):
            raise self._wrong(f'start is {self.start!r}; write it as "module:function"')
        if self.restart not in RESTARTS:
            raise self._wrong(f"restart is {self.restart!r}; use one of {RESTARTS}")
        if self.type not in TYPES:
            raise self._wrong(f"type is {self.type!r}; use one of {TYPES}")
        if self.significant and self.restart == "permanent":
            raise self._wrong("a permanent child never ends for good, so it can't be significant")
        modules = self._several("modules", self.modules)
        for one in modules:
            if not isinstance(one, str):
                raise self._wrong(f"modules are {self.modules!r}; they are names of modules")
        set_field = object.__setattr__
        set_field(self, "shutdown", self._checked_shutdown())
        if type(self.args) is not tuple:
            set_field(self, "args", self._several("args", self.args))
        set_field(self, "modules", modules or _alone(module))

    def _checked_shutdown(self) -> Shutdown:
        shutdown = self.shutdown
        if shutdown is None:
            return "infinity" if self.type == "supervisor" else WORKER_SHUTDOWN
        if isinstance(shutdown, str):
            if shutdown in ("brutal_kill", "infinity"):
                return shutdown
        elif isinstance(shutdown, float | int) and shutdown >= 0:
            return shutdown
        elif isinstance(shutdown, float | int):
            raise self._wrong(f"shutdown is {shutdown!r}; seconds can't be negative")
        raise self._wrong(f'shutdown is {shutdown!r}; use seconds, "brutal_kill" or "infinity"')

    def _several(self, field: str, value: object) -> tuple[Any, ...]:
        if type(value) is tuple:
            return value
        if not isinstance(value, tuple | list):
            raise self._wrong(f"{field} are {value!r}; write a tuple")
        return tuple(value)

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"child {self.id!r}: {what}")
