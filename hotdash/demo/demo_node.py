"""The private folder of a demonstration: copies of the example, a node, and a run directory.

However the demonstration ends, the node is stopped and the folder is removed.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from node_runtime.protocol.exit_codes import ExitCode, Refused

COMMAND_LIMIT_SECONDS = 120.0
"""The maximum number of seconds that a command may take."""
END_LIMIT_SECONDS = 5.0
"""Seconds after which the dashboard is killed if it has not restored the terminal and ended."""


@dataclass(frozen=True, slots=True)
class Project:
    """One version of the example: its folder in the demo folder, and the name and version of its release."""

    folder: str
    name: str
    vsn: str

    @property
    def tarball(self) -> str:
        """The name of the file that `node-runtime build` makes."""
        return f"{self.name}-{self.vsn}.tar.gz"


def bundled_examples() -> Path:
    """Return the folder of the example `fil`, in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "examples" / "fil", package.parent / "examples" / "fil"):
        if folder.is_dir():
            return folder
    raise Refused("The example `fil` was not found beside hotdash; name its folder with --examples.")


class DemoFolder:
    """A private folder for the demonstration, and the environment of its commands.

    `port` is the port of the web page; None means the configured port, and 0 any free port.
    """

    def __init__(self, examples: Path | None, port: int | None) -> None:
        self._examples = examples if examples is not None else bundled_examples()
        self._port = port
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self._handlers[number] = signal.signal(number, _exit_on_signal)
        self.folder = Path(tempfile.mkdtemp(prefix="hotdash-demo-"))
        try:
            self._prepare()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean()
        if isinstance(error, SystemExit):  # a signal has caused it; the terminal may be closed
            with suppress(OSError):
                print(
                    "The demonstration was stopped; its node and its folders were removed.", file=sys.stderr, flush=True
                )

    def _prepare(self) -> None:
        for source in sorted(self._examples.iterdir()):
            if (source / "release.toml").is_file():
                shutil.copytree(source, self.folder / source.name, ignore=shutil.ignore_patterns("_build"))
        self.projects = [read_project(path) for path in sorted(self.folder.iterdir())]
        if not self.projects:
            raise Refused(f"There is no release.toml in any folder of {self._examples}.")
        first = self.folder / self.projects[0].folder
        self.node = str(_toml(first / "config" / "node.toml").get("name", f"{self.projects[0].name}@127.0.0.1"))
        self.node_folder = self.projects[0].name
        self.script = f"{self.node_folder}/bin/{self.projects[0].name}"
        self.run_directory = self.folder / "run"
        self.run_directory.mkdir(mode=0o700)
        temporary = self.folder / "tmp"
        temporary.mkdir()
        configured = _toml(first / "config" / "sys.toml").get(self.projects[0].name, {}).get("http_port", 8004)
        self.port = int(str(configured)) if self._port is None else self._port or free_port()
        check_port(self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "NODE_RUNTIME_RUN_DIR": str(self.run_directory),
            "TMPDIR": str(temporary),  # so that the files of a killed command are removed, too
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            **columns(),
            "PYTHONUNBUFFERED": "1",
        }

    def write_overrides(self) -> None:
        """Write the web page's port to etc/sys.toml of the node's folder, which no release overwrites."""
        overrides = self.folder / self.node_folder / "etc" / "sys.toml"
        overrides.parent.mkdir(parents=True, exist_ok=True)
        overrides.write_text(f"[{self.projects[0].name}]\nhttp_port = {self.port}\n")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this folder, as a user would."""
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_LIMIT_SECONDS,
            check=False,
        )

    def run_checked(self, *words: str) -> str:
        """Run a command and return its output. If it fails, raises Refused with the last line of the output."""
        done = self.run(*words)
        if done.returncode != 0:
            printed = done.stdout.strip().splitlines()
            last = printed[-1] if printed else f"{' '.join(words)} ended with {done.returncode} and no output."
            raise Refused(last, ExitCode(done.returncode) if done.returncode in set(ExitCode) else ExitCode.REFUSED)
        return done.stdout

    def show(self, *words: str) -> int:
        """Run a command on the terminal of this process, and return its exit code.

        When this process exits, it terminates the command. When the terminal closes, the command
        ends, but this process can still clean up, because the command is a separate process.
        """
        environment = {**os.environ, "NODE_RUNTIME_RUN_DIR": str(self.run_directory)}
        shown = subprocess.Popen(words, env=environment)
        try:
            return shown.wait()
        finally:
            _terminate(shown)

    def _clean(self) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            if hasattr(self, "script") and (self.folder / self.script).exists():
                self.run(self.script, "stop")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned


def read_project(folder: Path) -> Project:
    """Return the project described by a folder's release.toml."""
    release = _toml(folder / "release.toml")
    return Project(folder.name, str(release["name"]), str(release["vsn"]))


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def columns() -> dict[str, str]:
    """Return the environment variable COLUMNS with the terminal's width; {} if stdout is not a terminal."""
    return {"COLUMNS": str(os.get_terminal_size(1).columns)} if sys.stdout.isatty() else {}


def check_port(port: int) -> None:
    """Raise Refused if this port of the loopback interface is not available."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"is not available ({error.strerror})"
            raise Refused(f"Port {port} {why} on 127.0.0.1; `hotdash demo --port 0` chooses a free port.") from None


def _toml(path: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL after END_LIMIT_SECONDS."""
    process.terminate()
    try:
        process.wait(END_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
