"""Replaces, in the copy of the node, the databases and files that the bodies of new modules open.

A sqlite3 database is replaced by a copy of it in memory. If a file is opened for appending, such as the file of a log
handler, it is replaced by the null device. So a body that opens a database or a file can be rehearsed, and the plan
says what the body opens.
"""

from __future__ import annotations

import builtins
import io
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlsplit

from node_runtime.releases.rehearsal.sandbox import READ_ONLY_DATABASE, Sandbox

MAX_DATABASE_BYTES: Final = 64 << 20
"""A larger database is not copied, so a body that opens it can't be rehearsed."""


class BodyOpens:
    """Replaces the functions that open files and databases, while bodies run.

    `by_module` maps each module to a dict whose keys are clauses such as "file /var/log/a": one for each thing that the
    body of the module has opened, in the order of the opening.
    """

    def __init__(self, sandbox: Sandbox, module: Callable[[], str | None]) -> None:
        self.by_module: dict[str, dict[str, None]] = defaultdict(dict)
        self._sandbox = sandbox
        self._module = module

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Replace `open` and `sqlite3.connect` until the `with` block of the caller ends.

        No other thread can call the replaced functions, because the copy of the node has no other thread.
        """
        open_file, connect = builtins.open, sqlite3.connect

        def replaced_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if "a" in mode and "+" not in mode and not isinstance(file, int):
                self._add(f"file {os.fsdecode(file)}")
                file = os.devnull
            return open_file(file, mode, *args, **kwargs)

        def replaced_connect(database: Any, *args: Any, **kwargs: Any) -> Any:
            return self._connect(connect, database, args, kwargs)

        homes = ((builtins, "open"), (io, "open"), (sqlite3, "connect"), (sqlite3.dbapi2, "connect"))
        before = [(home, name, getattr(home, name)) for home, name in homes]
        for home, name in homes:
            setattr(home, name, replaced_open if name == "open" else replaced_connect)
        try:
            yield
        finally:
            for home, name, function in before:
                setattr(home, name, function)

    def _connect(
        self, connect: Callable[..., Any], database: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Copy `database` into memory, and return a connection to the copy. A database that doesn't exist is empty."""
        path = os.fsdecode(database)
        if kwargs.get("uri") and path.startswith("file:"):
            path = ":memory:" if "mode=memory" in path else urlsplit(path).path
        if path in ("", ":memory:"):
            return connect(database, *args, **kwargs)
        self._add(f"database {path}")
        copy = connect(":memory:", *args, **{**kwargs, "uri": False})
        if os.path.exists(path):
            if os.path.getsize(path) > MAX_DATABASE_BYTES:
                self._sandbox.block(f"opens a database of more than {MAX_DATABASE_BYTES >> 20} MiB")
            source = connect(f"file:{quote(os.path.abspath(path))}{READ_ONLY_DATABASE}", uri=True)
            try:
                source.backup(copy)
            except Exception:
                self._sandbox.block("opens a database that is being written")
            finally:
                source.close()
        return copy

    def _add(self, what: str) -> None:
        self.by_module[self._module() or ""][what] = None
