"""What the files of a project and of a release say, typed.

`App` is app.toml, `Release` release.toml, `Appup` appup.toml, `NodeConfig` node.toml, `Environment` sys.toml. The
meaning is that of OTP's app(4), rel(4), appup(4) and config(4). Durations are seconds, sizes bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from node_runtime.protocol.exit_codes import Refused

from .appup_instructions import StartType, parse
from .names import Address, Callback, Module, Name, NodeName, Vsn
from .release_model import Entry
from .toml import convert, read, read_table, wrong
from .toml_positions import Place

LONGEST = 100_000_000
"""Seconds: three years, more than anybody waits. What has no end says so in another way."""

Environment: TypeAlias = dict[str, dict[str, Any]]
"""Application name to that application's parameters."""


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of everything that is written in TOML: an unknown key is a mistake, never ignored."""


class Templates(Format, frozen=True):
    """Jinja2 templates that build compiles to modules: <source>/root<extension> to <package>.root<suffix>."""

    source: str
    package: Module
    extension: str = ".html"
    suffix: str = "_template"


class App(Format, frozen=True):
    """An application. Without `mod` it is a library: it has code, and nothing to start."""

    name: Name
    vsn: Vsn
    description: str = ""
    applications: tuple[Name, ...] = ()
    mod: Callback | None = None
    registered: tuple[str, ...] = ()
    env: dict[str, Any] = {}
    templates: Templates | None = None


class AppStart(Format, frozen=True):
    """An application of a release and how it is started; see OTP's application:start/2."""

    name: Name
    start: StartType = "permanent"


class Release(Format, frozen=True):
    """A release: the applications that make a node, and the third-party code that they need (PEP 508)."""

    name: Name
    vsn: Vsn
    apps: tuple[Name | AppStart, ...]
    requirements: tuple[str, ...] = ()

    @property
    def starts(self) -> dict[str, StartType]:
        """Application name to start type, in the file's order."""
        return {
            app.name: app.start for app in (AppStart(name=app) if isinstance(app, str) else app for app in self.apps)
        }


class Appup(Format, frozen=True):
    """How an application comes to `vsn` from older versions, and back, in the written order."""

    vsn: Vsn
    up: tuple[Entry, ...] = ()
    down: tuple[Entry, ...] = ()


class Probation(Format, frozen=True):
    """How a release that was installed is watched until its commit. Durations are seconds.

    At the `deadline` the node goes back by itself; 0 has no end. Its health is good once nothing has gone wrong for
    `healthy` seconds. It is bad, and the node goes back at once, after more than `restarts` ends of processes that are
    restarted, more than `errors` log records of level ERROR, or an event loop that is later than `lag` time after time.
    """

    deadline: Annotated[float, Meta(ge=0, le=LONGEST)] = 600.0
    healthy: Annotated[float, Meta(ge=0, le=LONGEST)] = 10.0
    restarts: Annotated[int, Meta(ge=0)] = 3
    errors: Annotated[int, Meta(ge=0)] = 10
    lag: Annotated[float, Meta(gt=0, le=LONGEST)] = 1.0


class NodeConfig(Format, frozen=True):
    """A node. `probation` is about installs. Seconds: `heart` is how long the event loop may be silent; `rehearsal` is
    how long a rehearsal may take, and `code_change` how long one process may take in it.

    `loop` is the event loop; uvloop has to be among the release's requirements. `log` is what a line of the log is.
    """

    name: NodeName
    listen: Address = "127.0.0.1:0"
    probation: Probation = Probation()
    heart: Annotated[float, Meta(ge=1, le=LONGEST)] = 60.0
    rehearsal: Annotated[float, Meta(gt=0, le=LONGEST)] = 60.0
    code_change: Annotated[float, Meta(gt=0, le=LONGEST)] = 5.0
    loop: Literal["asyncio", "uvloop"] = "asyncio"
    log: Literal["text", "json"] = "text"


def read_app(path: Path) -> App:
    """app.toml. Raises `Refused`."""
    return read(path, App)


def read_release(path: Path) -> Release:
    """release.toml. Raises `Refused`."""
    release = read(path, Release)
    seen: set[str] = set()
    for number, app in enumerate(release.apps):
        name = app if isinstance(app, str) else app.name
        if name in seen:
            raise wrong(path, ("apps", number), f"{name} is listed twice")
        seen.add(name)
    return release


def read_environment(path: Path) -> Environment:
    """sys.toml; no file says nothing. Raises `Refused`."""
    if not path.exists():
        return {}
    return convert(path, read_table(path), dict[Name, dict[str, Any]])


class _Pattern(Format, frozen=True):
    regex: str


class _Up(Format, frozen=True):
    vsn: Vsn | _Pattern = msgspec.field(name="from")
    instructions: list[dict[str, Any]]


class _Down(Format, frozen=True):
    vsn: Vsn | _Pattern = msgspec.field(name="to")
    instructions: list[dict[str, Any]]


class _Appup(Format, frozen=True):
    vsn: Vsn
    up: list[_Up] = []
    down: list[_Down] = []


def read_appup(path: Path) -> Appup:
    """appup.toml. Raises `Refused`."""
    written = read(path, _Appup)
    return Appup(
        vsn=written.vsn,
        up=tuple(_entry(path, ("up", number), way) for number, way in enumerate(written.up)),
        down=tuple(_entry(path, ("down", number), way) for number, way in enumerate(written.down)),
    )


def _entry(path: Path, place: Place, way: _Up | _Down) -> Entry:
    instructions = []
    for number, table in enumerate(way.instructions):
        try:
            instructions.append(parse(table))
        except Refused as refusal:
            raise wrong(path, (*place, "instructions", number), refusal.sentence) from None
    if isinstance(way.vsn, str):
        return Entry(way.vsn, tuple(instructions))
    try:
        return Entry(re.compile(way.vsn.regex), tuple(instructions))
    except re.error as error:
        key = "from" if isinstance(way, _Up) else "to"
        sentence = f"{way.vsn.regex!r} is not a regular expression: {error}"
        raise wrong(path, (*place, key, "regex"), sentence) from None
