"""A version of a module: the bytes it was compiled from, and the one namespace that is its functions' globals."""

from __future__ import annotations

import hashlib
import os.path
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .imports import Imports, read_imports
from .module import HotModule, Namespace

if TYPE_CHECKING:
    from types import CodeType

    from .classes.class_reuse import Face
    from .loading.typing_overloads import Overloads


Link = tuple[str, str, str]
Links = tuple[Link, ...]
"""Imported names: module, name there, name here. A star import is "*", "*", and what it has taken is "*", name here."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version of a module comes from. A `path` that is a directory is a package without a body."""

    module: str
    path: str
    app: str
    app_vsn: str

    @property
    def is_package(self) -> bool:
        return os.path.basename(self.path) == "__init__.py" or not self.path.endswith(".py")

    @property
    def search(self) -> list[str] | None:
        """The `__path__` of a package, None for a plain module."""
        if not self.is_package:
            return None
        return [os.path.dirname(self.path) if self.path.endswith(".py") else self.path]

    @property
    def package(self) -> str:
        """The `__package__`: what relative imports start from."""
        return self.module if self.is_package else self.module.rpartition(".")[0]

    def read(self) -> bytes:
        """The source text. Raises OSError."""
        if not self.path.endswith(".py"):
            return b""
        with open(self.path, "rb") as file:
            return file.read()


@dataclass(frozen=True, slots=True)
class Unit:
    """A source read, hashed and compiled, in that order, from the same bytes: ready to be executed."""

    source: Source
    data: bytes
    sha256: str
    file: str
    code: CodeType
    imports: Imports


@dataclass(slots=True, eq=False, weakref_slot=True)
class Version:
    """One executed version.

    `begun` numbers the modules in the order in which their first bodies began; later versions have their first one's.
    `live` says, while it isn't current, which of its imported names still were the imported ones. `faces` has classes
    that it shares with another version, and what they look like while it is current. `purged` says that it goes as soon
    as the last frame in it has ended. `overloads` has what `typing` keeps of it while it is current.
    """

    unit: Unit
    namespace: Namespace
    begun: int
    loaded: float = field(default_factory=time.time)
    live: Links = ()
    purged: bool = False
    faces: dict[type, Face] = field(default_factory=dict)
    overloads: Overloads = field(default_factory=dict)

    @property
    def vsn(self) -> str:
        """The module's own `__vsn__`, else the first 12 hex digits of its content's sha256."""
        declared = self.namespace.get("__vsn__")
        return self.sha256[:12] if declared is None else str(declared)

    @property
    def sha256(self) -> str:
        return self.unit.sha256

    @property
    def path(self) -> str:
        return self.unit.source.path

    @property
    def app(self) -> str:
        return self.unit.source.app

    @property
    def app_vsn(self) -> str:
        return self.unit.source.app_vsn

    @property
    def imports(self) -> Imports:
        return self.unit.imports


@dataclass(slots=True, eq=False)
class Hot:
    """A managed module: its stable object, its current version and, at most, one old version."""

    name: str
    module: HotModule
    current: Version | None = None
    old: Version | None = None


def compile_unit(source: Source, data: bytes, others: tuple[Version, ...] = ()) -> Unit:
    """Compile `data`. `others` are the versions of the module that are loaded. Raises SyntaxError or ValueError.

    Code is named by its plain file, which is what debuggers and coverage want; releases have a directory for
    each version. Only a file that was edited in place, beneath a loaded version, gets a name with its hash,
    so that neither version shows the other's lines.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    file = source.path
    if any(other.unit.file == file and other.sha256 != sha256 for other in others):
        file = f"{file}@{sha256[:12]}"
    code = compile(data, file, "exec", dont_inherit=True)
    return Unit(source, data, sha256, file, code, read_imports(code, source.package))
