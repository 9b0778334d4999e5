"""What most processes never have: kept apart, so that it costs them nothing.

The dictionary that has it is replaced and never changed: a thousand processes that an install holds share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from typing import Self

    from .process import Process

T = TypeVar("T")


class Seldom(Generic[T]):
    """An attribute of processes that is None until it is assigned. A slot would be 8 bytes for each process."""

    def __set_name__(self, owner: type[Process], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, process: None, owner: type[Process]) -> Self: ...
    @overload
    def __get__(self, process: Process, owner: type[Process]) -> T | None: ...
    def __get__(self, process: Process | None, owner: type[Process]) -> Any:
        if process is None:
            return self
        seldom = process.seldom  # once: who reads a blocked node from beside is in another thread
        return None if seldom is None else seldom.get(self.name)

    def __set__(self, process: Process, value: T | None) -> None:
        seldom = process.seldom
        if value is not None:
            process.seldom = {self.name: value} if seldom is None else {**seldom, self.name: value}
        elif seldom is not None and self.name in seldom:
            process.seldom = {name: seldom[name] for name in seldom if name != self.name} or None
