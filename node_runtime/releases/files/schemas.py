"""The typed schemas of the TOML files of a project and of a release.

`App` is the schema of app.toml, `Release` of release.toml, `Appup` of appup.toml, `NodeConfig` of node.toml, and
`Environment` of sys.toml. The keys mean what they mean in OTP's app(4), rel(4), appup(4) and config(4). Durations are
in seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from node_runtime.protocol.clip import clip
from node_runtime.protocol.exit_codes import Refused

from .appup_instructions import ReleaseStartType, parse_instruction
from .names import Callback, ListenAddress, Module, Name, NodeName, VsnString
from .probation_defaults import (
    DEFAULT_DEADLINE_SECONDS,
    DEFAULT_HEALTHY_SECONDS,
    DEFAULT_MAX_ERRORS,
    DEFAULT_MAX_LAG_SECONDS,
    DEFAULT_MAX_RESTARTS,
)
from .release_model import AppupEntry
from .toml_reading.toml_file import convert, read_table, read_toml, refusal_at
from .toml_reading.toml_positions import TomlPath
from .version_pattern import PATTERN_KINDS, glob_for_regex, is_version_pattern

MAX_SECONDS = 100_000_000
"""The longest duration that a file may contain, about three years. An unlimited deadline is written as 0."""

MAX_WORKERS = 64
"""The greatest number of workers of a node. Each is an OS process with its own states."""

BUILT_IN_APPLICATIONS = frozenset({"web"})
"""Applications that node_runtime contains."""

Environment: TypeAlias = dict[str, dict[str, Any]]
"""The parameters of each application, by application name."""


class TomlStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all schemas of TOML files: an unknown key is an error, never ignored."""


class Templates(TomlStruct, frozen=True):
    """Jinja2 templates that the build compiles to modules.

    The file <source>/x<extension> becomes the module <package>.x<suffix>.
    """

    source: str
    package: Module
    extension: str = ".html"
    suffix: str = "_template"


class App(TomlStruct, frozen=True):
    """An application. Without `mod`, an application is a library, and the node has nothing to start.

    `source` is a path, relative to the application's folder, of code that is not in `src`, or "distribution:NAME" for
    the code of an installed distribution.
    """

    name: Name
    vsn: VsnString
    description: str = ""
    applications: tuple[Name, ...] = ()
    mod: Callback | None = None
    registered: tuple[str, ...] = ()
    env: dict[str, Any] = {}
    templates: Templates | None = None
    source: str | None = None


class AppStart(TomlStruct, frozen=True):
    """An application of a release and its start type; see OTP's application:start/2."""

    name: Name
    start: ReleaseStartType = "permanent"


class Release(TomlStruct, frozen=True):
    """A release: the applications of a node, and the third-party code that they require (PEP 508)."""

    name: Name
    vsn: VsnString
    apps: tuple[Name | AppStart, ...]
    requirements: tuple[str, ...] = ()

    @property
    def starts(self) -> dict[str, ReleaseStartType]:
        """Return the start type of each application, in the order of the file."""
        return {
            app.name: app.start for app in (AppStart(name=app) if isinstance(app, str) else app for app in self.apps)
        }


class Appup(TomlStruct, frozen=True):
    """The upgrades of an application to its version `vsn`, and the downgrades from it, in the file's order."""

    vsn: VsnString
    up: tuple[AppupEntry, ...] = ()
    down: tuple[AppupEntry, ...] = ()


class ProbationSettings(TomlStruct, frozen=True):
    """The monitoring of an installed release until its commit. Durations are seconds.

    At the `deadline`, the node reverts by itself; 0 means no deadline. Health is good after `healthy` seconds without
    trouble. If health is bad, the node reverts at once. Health is bad after more than `restarts` restarts of processes,
    after more than `errors` crashes and log records of level ERROR, and when the event loop is repeatedly later than
    `lag`.
    """

    deadline: Annotated[float, Meta(ge=0, le=MAX_SECONDS)] = DEFAULT_DEADLINE_SECONDS
    healthy: Annotated[float, Meta(ge=0, le=MAX_SECONDS)] = DEFAULT_HEALTHY_SECONDS
    restarts: Annotated[int, Meta(ge=0)] = DEFAULT_MAX_RESTARTS
    errors: Annotated[int, Meta(ge=0)] = DEFAULT_MAX_ERRORS
    lag: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] = DEFAULT_MAX_LAG_SECONDS


class WebSettings(TomlStruct, frozen=True):
    """The node's web server. `workers` is the number of OS processes that share the ports of its listeners."""

    workers: Annotated[int, Meta(ge=1, le=MAX_WORKERS)] = 1


class NodeConfig(TomlStruct, frozen=True):
    """A node's configuration. `probation` configures the time between install and commit.

    Durations are in seconds. `heart` is the longest time for which the event loop may be stuck before the node is
    restarted. `rehearsal` is the time limit of a rehearsal; with "off", the node never makes a copy of itself, and each
    install needs consent. `code_change` is the time limit of one process in a rehearsal. `prepare` is the time limit
    for executing the bodies of all new modules. If the bodies stop the event loop for longer than `stall`, the install
    needs consent. `loop` selects the event loop; uvloop has to be among the release's requirements. `log` is the format
    of a log line.
    """

    name: NodeName
    listen: ListenAddress = "127.0.0.1:0"
    probation: ProbationSettings = ProbationSettings()
    web: WebSettings = WebSettings()
    heart: Annotated[float, Meta(ge=1, le=MAX_SECONDS)] = 60.0
    rehearsal: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] | Literal["off"] = 60.0
    code_change: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] = 5.0
    prepare: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] = 10.0
    stall: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] = 5.0
    loop: Literal["asyncio", "uvloop"] = "asyncio"
    log: Literal["text", "json"] = "text"


def read_app(path: Path) -> App:
    """Read app.toml. Raises `Refused`."""
    return read_toml(path, App)


def read_release(path: Path) -> Release:
    """Read release.toml. Raises `Refused`."""
    release = read_toml(path, Release)
    listed: set[str] = set()
    for number, app in enumerate(release.apps):
        name = app if isinstance(app, str) else app.name
        if name in listed:
            raise refusal_at(path, ("apps", number), f"{name} is listed twice; remove one")
        listed.add(name)
    return release


def read_environment(path: Path) -> Environment:
    """Read sys.toml; a missing file is an empty environment. Raises `Refused`."""
    if not path.exists():
        return {}
    return convert(path, read_table(path), dict[Name, dict[str, Any]])


class _Regex(TomlStruct, frozen=True):
    """A regular expression, as in appups of older projects.

    It is read only so that an error can name its replacement.
    """

    regex: str


class _UpTable(TomlStruct, frozen=True):
    versions: str | _Regex = msgspec.field(name="from")
    instructions: list[dict[str, Any]]


class _DownTable(TomlStruct, frozen=True):
    versions: str | _Regex = msgspec.field(name="to")
    instructions: list[dict[str, Any]]


class _AppupFile(TomlStruct, frozen=True):
    vsn: VsnString
    up: list[_UpTable] = []
    down: list[_DownTable] = []


def read_appup(path: Path) -> Appup:
    """Read appup.toml. Raises `Refused`."""
    file = read_toml(path, _AppupFile)
    return Appup(
        vsn=file.vsn,
        up=tuple(_entry(path, ("up", number), table) for number, table in enumerate(file.up)),
        down=tuple(_entry(path, ("down", number), table) for number, table in enumerate(file.down)),
    )


def _entry(path: Path, key_path: TomlPath, table: _UpTable | _DownTable) -> AppupEntry:
    versions = _versions(path, (*key_path, "from" if isinstance(table, _UpTable) else "to"), table.versions)
    instructions = []
    for number, instruction in enumerate(table.instructions):
        try:
            instructions.append(parse_instruction(instruction))
        except Refused as refusal:
            raise refusal_at(path, (*key_path, "instructions", number), refusal.sentence) from None
    return AppupEntry(versions, tuple(instructions))


def _versions(path: Path, key_path: TomlPath, versions: str | _Regex) -> str:
    """Return the versions that an entry of an appup covers. A wrong pattern raises `Refused`."""
    if isinstance(versions, str):
        if is_version_pattern(versions):
            return versions
        sentence = f"{key_path[-1]} must be {PATTERN_KINDS}, not {json.dumps(clip(versions, 40), ensure_ascii=False)}"
        raise refusal_at(path, key_path, sentence)
    glob = glob_for_regex(versions.regex)
    remedy = f"write {PATTERN_KINDS}, or one entry for each version"
    if glob is not None:
        remedy = f'write {key_path[-1]} = "{glob}"'
    regex = f"'{versions.regex}'" if versions.regex.isprintable() else repr(versions.regex)
    sentence = f"an appup can't have the regular expression {clip(regex, 40)}; {remedy}"
    raise refusal_at(path, (*key_path, "regex"), sentence)
