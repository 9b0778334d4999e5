"""Runs the commands in a document, and compares their output with the output in the document.

A fenced block without a language is a session if its first line begins with `$ `: commands, each with its output. A
line `…` in an output stands for any number of lines. Text that changes from run to run (times, pids, versions' hashes,
colours that change meanwhile) may differ; see `normalized`. A comment before a block gives its options:
`<!-- walk: exit 1 -->` for its exit code, `<!-- walk: repeat -->` to repeat the command until it prints this. A block
with the comment `<!-- file: PATH -->` before it is written to that path, relative to the folder of the walk.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hotdash.demo.demo_node import free_port
from tests.support.nodes.fil_node import environment

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"(?:<!-- walk: (?P<notes>[^>]*) -->\n)?```\n(?P<session>\$ .*?)```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"<!-- file: (?P<path>\S+) -->\n```\w+\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)
PYTHON_WARNING = "Warning: Python "
"""The begin of a line that a command prints if this machine's Python has known faults."""
PASSING = re.compile(r"TIME waiting|rehearsal for release \S+: \d+ of \d+ process(es)?|Uploaded \d+ % of .+")
"""A line about something that takes longer than usual."""
PATIENCE = 60.0

STEADY = (
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"\b[0-9a-f]{8}([0-9a-f]{4})?\b", "HASH"),
    (r"\d+(\.\d+)? (µs|ms|s)\b", "SECONDS"),
    (r"\b\d+:\d\d\b", "SECONDS"),
    (r"<\d+>", "<PID>"),
    (r"\bprocess \d+", "process NUMBER"),
    (r"\bendpoint is 127\.0\.0\.1:\d+", "endpoint is ADDRESS"),
    (r"\bby \S+ \(\S+@\S+\)", "by WHO"),
    (r"\b(olive|green|lime|red|orange)\b", "COLOUR"),
    (r"\bsteps: \d+", "steps: NUMBER"),
    (r"\bcount +\d+", "count NUMBER"),
    (r"[─━]{3,}", "───"),
    (r"\s+", " "),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document, the lines that it should print, its exit code, and whether it may be repeated."""

    line: str
    output: tuple[str, ...]
    code: int
    repeat: bool


def commands(document: str) -> Iterator[Command]:
    """The commands of a document, in order."""
    for block in BLOCK.finditer(document):
        notes = block["notes"] or ""
        code = re.search(r"exit (\d+)", notes)
        for part in re.split(r"^\$ ", block["session"], flags=re.MULTILINE)[1:]:
            line, *output = part.rstrip().split("\n")
            said = line.partition("   #")[0].rstrip()
            yield Command(said, tuple(output), int(code[1]) if code else 0, "repeat" in notes)


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a document that its reader writes."""

    path: str
    text: str


def steps(document: str) -> Iterator[Command | WrittenFile]:
    """The commands and the files of a document, in order."""
    blocks = sorted([*BLOCK.finditer(document), *FILE.finditer(document)], key=lambda block: block.start())
    for block in blocks:
        if block.re is FILE:
            yield WrittenFile(block["path"], block["text"])
        else:
            yield from commands(block[0])


def normalized(text: str) -> str:
    """A line without the parts that change from run to run."""
    for pattern, word in STEADY:
        text = re.sub(pattern, word, text)
    return text.strip()


def matches(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Returns whether a command printed what the document shows. Lines that only a slow machine prints may differ."""
    want = [line for line in map(normalized, shown) if line and not PASSING.fullmatch(line)]
    have = [line for line in map(normalized, printed) if line and not PASSING.fullmatch(line)]
    return _matches(want, have)


def _matches(want: list[str], have: list[str]) -> bool:
    if not want:
        return not have
    if want[0] == "…":
        return any(_matches(want[1:], have[skipped:]) for skipped in range(len(have) + 1))
    return bool(have) and want[0] == have[0] and _matches(want[1:], have[1:])


@dataclass
class Walker:
    """Runs a document's commands in isolation: its own folders, its own port, no other nodes.

    `overrides` is what the node's etc/sys.toml says beside the port.
    """

    folder: Path
    name: str
    port: int
    overrides: str = ""
    own_port: int = field(default_factory=free_port)
    working_directory: Path = ROOT

    def __post_init__(self) -> None:
        self.run_directory = self.folder / "run"
        self.run_directory.mkdir(mode=0o700)
        self.node = self.folder / self.name
        self.environment = environment(self.folder) | {"NODE_RUNTIME_RUN_DIR": str(self.run_directory)}
        self.names = {
            "/tmp/releases": str(self.folder / "releases"),
            f"/tmp/{self.name}": str(self.node),
            f"127.0.0.1:{self.port}": f"127.0.0.1:{self.own_port}",
        }

    def walk(self, document: Path) -> None:
        """Write all files and run all commands of the document."""
        found = list(steps(document.read_text(encoding="utf-8")))
        assert found, f"{document} shows no commands"
        for step in found:
            if isinstance(step, WrittenFile):
                file = self.folder / step.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(step.text, encoding="utf-8")
            else:
                self.take(step)

    def take(self, command: Command) -> None:
        """Run one command, and fail unless its output and exit code are those of the document."""
        deadline = time.monotonic() + PATIENCE
        while True:
            code, printed = self.run(command.line)
            if code == command.code and matches(command.output, printed):
                break
            if not command.repeat or time.monotonic() > deadline:
                pytest.fail("\n".join([f"$ {command.line}", f"ended with {code} and printed:", *printed]))
        if command.line.startswith("node-runtime install"):
            (self.node / "etc").mkdir(exist_ok=True)
            (self.node / "etc" / "sys.toml").write_text(f"[{self.name}]\nhttp_port = {self.own_port}\n{self.overrides}")

    def run(self, line: str) -> tuple[int, list[str]]:
        """Returns a command's exit code and its output, with the document's names."""
        for shown, own in self.names.items():
            line = line.replace(shown, own)
        if line.startswith("cd "):
            self.working_directory /= line.removeprefix("cd ")
            return 0, []
        if line.startswith("curl "):
            return 0, self.fetched(shlex.split(line)).split("\n")
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.working_directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        printed = done.stdout
        for shown, own in self.names.items():
            printed = printed.replace(own, shown)
        return done.returncode, [line for line in printed.split("\n") if not line.startswith(PYTHON_WARNING)]

    def fetched(self, words: list[str]) -> str:
        """The output of `curl -s [--json BODY] URL`: curl is not installed on every machine."""
        body = words[words.index("--json") + 1].encode() if "--json" in words else None
        request = urllib.request.Request(words[-1], body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def stop(self) -> None:
        """Stop the node if a command that failed has left it running."""
        script = self.node / "bin" / self.name
        if script.exists():
            subprocess.run([script, "stop"], env=self.environment, capture_output=True, check=False, timeout=60)
