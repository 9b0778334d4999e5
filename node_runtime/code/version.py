"""A version of a module: its compiled source, and the namespace that its functions have as `__globals__`."""

from __future__ import annotations

import hashlib
import os.path
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

import msgspec

from .compiler import Compiler, compile_here
from .module import HotModule, Namespace

if TYPE_CHECKING:
    from types import CodeType

    from .classes.class_reuse import VersionAttributes
    from .imports import Imports
    from .registrations import Registration
    from .registrations.typing_overloads import Overloads


ImportedName = tuple[str, str, str]
ImportedNames = tuple[ImportedName, ...]
"""Imported names, each as (imported module, name in the imported module, name in the importing module).

A star import is (module, "*", "*"). Each name that the star import has copied is (module, "*", name).
"""


class Source(msgspec.Struct, frozen=True):
    """The source file of a version of a module.

    `path` may also be a folder without `__init__.py`: then the module is a package without a body. `sha256` is the hash
    of the file in the release's manifest, in hexadecimal digits; None for a file that is in no release.
    """

    module: str
    path: str
    app: str
    app_vsn: str
    sha256: str | None = None

    @property
    def is_package(self) -> bool:
        return os.path.basename(self.path) == "__init__.py" or not self.path.endswith(".py")

    @property
    def search(self) -> list[str] | None:
        """The `__path__` of a package; None for a plain module."""
        if not self.is_package:
            return None
        return [os.path.dirname(self.path) if self.path.endswith(".py") else self.path]

    @property
    def package(self) -> str:
        """The `__package__`, which relative imports start from."""
        return self.module if self.is_package else self.module.rpartition(".")[0]

    def read(self) -> bytes:
        """Return the bytes of the source file, to be compiled. Raises OSError, and ValueError if the hash differs."""
        data = self.read_unverified()
        if self.sha256 not in (None, hashlib.sha256(data).hexdigest()):
            raise ValueError(f"it differs from the build of {self.app} {self.app_vsn}; stage the tarball again")
        return data

    def read_unverified(self) -> bytes:
        """Return the bytes of the source file; b"" for a folder without `__init__.py`. Raises OSError."""
        if not self.path.endswith(".py"):
            return b""
        with open(self.path, "rb") as file:
            return file.read()


class SourceText(msgspec.Struct, frozen=True):
    """The bytes of a source file and their hash. Exactly these bytes are compiled."""

    source: Source
    data: bytes
    sha256: str


class CompilationUnit(msgspec.Struct, frozen=True):
    """A compiled source file. The file was read once; its hash and its code were made from the same bytes.

    `stopped` is the number of seconds for which the compilation stopped all threads.
    """

    source: Source
    data: bytes
    sha256: str
    file: str
    code: CodeType
    imports: Imports
    stopped: float


@dataclass(slots=True, eq=False, weakref_slot=True)
class Version:
    """One executed version of a module.

    `execution_index` is the module's position in the order of first executions; all versions of a module have the same
    index. `live_imports` are the imported names that the module itself has not rebound; they are recorded before each
    switch. `reused_classes` has the classes that this version shares with another version, each with the attributes
    that the class has while this version is current. If `purged` is true, the version is dropped when the last frame
    that runs it has ended. `overloads` are the version's entries in the registry of `typing.overload`, and
    `registrations` are its entries in other registries. `carried` are the names that `__carry__` keeps or makes.
    `earlier_paths` are the latest previous values of `__file__`, which changes with each release even if the module
    doesn't. `made_with` is recorded when another version replaces this one: the current version of each module that the
    body uses.
    """

    unit: CompilationUnit
    namespace: Namespace
    execution_index: int
    loaded: float = field(default_factory=time.time)
    live_imports: ImportedNames = ()
    purged: bool = False
    reused_classes: dict[type, VersionAttributes] = field(default_factory=dict)
    overloads: Overloads = field(default_factory=dict)
    earlier_paths: tuple[str, ...] = ()
    registrations: list[Registration] = field(default_factory=list)
    carried: frozenset[str] = frozenset()
    made_with: dict[str, ref[Version]] = field(default_factory=dict)
    replacement: object = None
    """The object by which the body has replaced the module in `sys.modules`; None if it has not replaced the module."""

    @property
    def vsn(self) -> str:
        """The module's own `__vsn__`, else the first 12 hex digits of the source's sha256."""
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
class ManagedModule:
    """A module that the code server manages: its module object, its current version and at most one old version."""

    name: str
    module: HotModule
    current: Version | None = None
    old: Version | None = None


def read_text(source: Source) -> SourceText:
    """Read a source file. Raises OSError, and ValueError if it differs from the release's manifest."""
    data = source.read()
    return SourceText(source, data, hashlib.sha256(data).hexdigest())


def compile_text(
    text: SourceText, others: tuple[Version, ...] = (), compiler: Compiler = compile_here
) -> CompilationUnit:
    """Compile a source file. `others` are the loaded versions of the module. Raises SyntaxError or ValueError.

    The code's file name is the source's path, as debuggers and coverage expect. Each release has its own directory, so
    versions of different releases have different file names. If the file was edited in place, two loaded versions would
    have the same file name. Then the new version's hash is appended to its file name, so that tracebacks show the right
    lines.
    """
    source, file = text.source, text.source.path
    if any(other.unit.file == file and other.sha256 != text.sha256 for other in others):
        file = f"{file}@{text.sha256[:12]}"
    return CompilationUnit(source, text.data, text.sha256, file, *compiler(text.data, file, source.package))
