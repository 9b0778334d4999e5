"""An application on disk, in versioned directories as in a node, and a code server that manages it.

The tests of the code server load it as a plugin, for its fixtures.
"""

from __future__ import annotations

import itertools
import sys
import textwrap
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from node_runtime.code import Batch, CodeServer, Source, Version


class App:
    """The application `shop`. Its modules are given as source text; each release gets a directory of its own."""

    def __init__(self, directory: Path, server: CodeServer) -> None:
        self.directory = directory
        self.server = server
        self._numbers = itertools.count(1)

    def write(self, **modules: str) -> dict[str, Source]:
        """Write a release's modules: `pkg__sub` is pkg.sub, and `pkg____init__` the package pkg itself."""
        vsn = f"{next(self._numbers)}.0"
        root = self.directory / f"shop-{vsn}" / "src"
        written = {}
        for key, text in modules.items():
            parts = key.removesuffix("____init__").split("__")
            file = root.joinpath(*parts)
            file = file / "__init__.py" if key.endswith("____init__") else file.with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
            written[".".join(parts)] = Source(".".join(parts), str(file), "shop", vsn)
        return written

    def boot(self, **modules: str) -> None:
        """The first release: found by ordinary imports."""
        sources = self.write(**modules)
        self.server.add_application("shop", "1.0", {name: source.path for name, source in sources.items()})

    def prepare(self, *, deleted: Iterable[str] = (), **modules: str) -> Batch:
        """Write and prepare the modules of the next release that differ."""
        return self.server.prepare(self.write(**modules).values(), deleted)

    def load(self, *, deleted: Iterable[str] = (), **modules: str) -> Batch:
        """Prepare and commit."""
        batch = self.prepare(deleted=deleted, **modules)
        batch.commit()
        return batch

    def current(self, module: str) -> Version:
        """The current version of a module, which must be loaded."""
        version = self.server.versions(module)[0]
        assert version is not None
        return version

    def old(self, module: str) -> Version:
        """The old version of a module, which must have one."""
        version = self.server.versions(module)[1]
        assert version is not None
        return version


@pytest.fixture
def server() -> Iterator[CodeServer]:
    server = CodeServer()
    server.install()
    yield server
    server.uninstall()


@pytest.fixture
def app(tmp_path: Path, server: CodeServer) -> App:
    return App(tmp_path / "lib", server)


class Gate(ModuleType):
    """A module for bodies: after `import gate`, `gate.wait()` sets `reached` and waits for `opened`."""

    def __init__(self) -> None:
        super().__init__("gate")
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.opened.wait(60), "the test never opened the gate"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setitem(sys.modules, "gate", gate)
    yield gate
    gate.opened.set()
