"""Three ways to load new code into a running program, and the modules to try them on."""

from __future__ import annotations

import importlib
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node_runtime.code import CodeServer, Source

V1 = """
    import enum, typing
    from dataclasses import dataclass
    from low import low
    LIMIT = 1
    STATE = []
    def helper():
        return "old"
    def removed():
        return "old"
    def f():
        return "old"
    def calling():
        return helper()
    def decorator(g):
        def wrapper():
            return "old decorator, " + g()
        return wrapper
    @decorator
    def decorated():
        return helper()
    def closure(x):
        one = 1
        return lambda: (x, one) and helper()
    def default(g=helper):
        return g()
    class Base:
        def greet(self):
            return "old"
    class Plain(Base):
        def f(self):
            return "old"
        def up(self):
            return super().greet()
    @dataclass
    class Changed:
        x: int = 1
        def f(self):
            return "old"
    @dataclass
    class Same:
        x: int = 1
    class Colour(enum.Enum):
        RED = 1
    class Boom(Exception): ...
    class Pair(typing.NamedTuple):
        left: int = 1
    async def suspended(gate):
        await gate
        return f"{helper()}, {LIMIT}, {removed()}"
    def generator():
        yield
        yield f"{helper()}, {removed()}"
    def blocked(event):
        event.wait()
        return f"{helper()}, {removed()}"
    def fail():
        raise ValueError("old line")  # old line
    def bump():
        global LIMIT
        LIMIT += 1
        return LIMIT
"""
V2 = (
    V1.replace('def removed():\n        return "old"\n    ', "")
    .replace(", {removed()}", "")
    .replace('"old"', '"new"')
    .replace("LIMIT = 1", "LIMIT = 2")
    .replace("old decorator", "new decorator")
    .replace("old line", "new line")
    .replace("one = 1\n        return lambda: (x, one)", "other = 2\n        return lambda: (other, x)")
)
LOW_1 = "def low():\n    return 'old'\n"
LOW_2 = LOW_1.replace("old", "new")
USER = """
    import m
    from m import f, closure as make
    from m import *
    ALIAS = m.f
    def qualified():
        return m.f()
    def lazily():
        from m import f
        return f()
    class Derived(m.Base): ...
"""


class Ours:
    """The code server, with a directory for each release. `change` loads, `back` reverts."""

    name = "code server"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = CodeServer()
        self._server.install()
        self._batches: list[Any] = []

    def boot(self, **modules: str) -> None:
        written = self._write("1", modules)
        self._server.add_application("shop", "1", {source.module: source.path for source in written})

    def change(self, **modules: str) -> None:
        batch = self._server.prepare(self._write("2", modules))
        batch.commit()
        self._batches.append(batch)

    def back(self) -> None:
        self._batches.pop().revert()

    def close(self) -> None:
        self._batches.clear()
        self._server.uninstall()

    def _write(self, vsn: str, modules: dict[str, str]) -> list[Source]:
        root = self._directory / f"shop-{vsn}"
        root.mkdir()
        for name, text in modules.items():
            (root / f"{name}.py").write_text(textwrap.dedent(text))
        return [Source(name, str(root / f"{name}.py"), "shop", vsn) for name in modules]


class InPlace:
    """The common part of both other methods: files are edited in place."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        sys.path.insert(0, str(directory))

    def boot(self, **modules: str) -> None:
        self._first = modules
        self._write(modules)

    def change(self, **modules: str) -> None:
        self._write(modules)
        self._load(modules)

    def back(self) -> None:
        self.change(**{name: self._first[name] for name in ("low", "m")})

    def close(self) -> None:
        sys.path.remove(str(self._directory))

    def _load(self, modules: dict[str, str]) -> None:
        raise NotImplementedError

    def _write(self, modules: dict[str, str]) -> None:
        for name, text in modules.items():
            (self._directory / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()


class Reload(InPlace):
    name = "importlib.reload"

    def _load(self, modules: dict[str, str]) -> None:
        for name in modules:
            importlib.reload(sys.modules[name])


class Reimport(InPlace):
    name = "import again"

    def _load(self, modules: dict[str, str]) -> None:
        for name in modules:
            del sys.modules[name]
        for name in modules:
            importlib.import_module(name)


WAYS: tuple[type[Any], ...] = (Ours, Reload, Reimport)


@contextmanager
def way(cls: type[Any]) -> Iterator[Any]:
    """One method, in its own directory, which leaves no module behind."""
    before, written = set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # Python would not reread files edited within the same second
    with tempfile.TemporaryDirectory() as directory:
        used = cls(Path(directory))
        try:
            yield used
        finally:
            used.close()
            for name in {"m", "low", "user"} & (set(sys.modules) - before):
                del sys.modules[name]
            sys.dont_write_bytecode = written
