"""Each command line of the pages is one that its program accepts, and each one in a block is run by a test."""

from __future__ import annotations

import itertools
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from hotdash.demo.demo_node import free_port
from tests.docs.test_operations_page import LIFE
from tests.support.nodes.fil_node import EXAMPLES, FilNode, command, environment, install, running
from tests.support.pages.command_lines import CommandLine, command_lines, simple_commands, words_of_prose
from tests.support.pages.command_syntax import misuse
from tests.support.pages.shown_commands import commands
from tests.support.sources import ROOT, files
from tests.support.terminal.screens import drawn

PAGES: Final = [ROOT / page for page in files("*.md", "docs/**/*.md", "examples/**/*.md") if page != "CHANGELOG.md"]
WALKED: Final = ("fil", "nine9s", "hub", "migrating-state", "tutorial", "moving-in")
"""The pages in docs/ whose commands test_walks.py runs."""
QUIT: Final = b"\x11"
"""ctrl+q."""
ON_FIL: Final = (
    "hotdash connect fil@127.0.0.1",
    "hotdash connect",
    "hotdash connect fil@host:9100 --cookie-file fil.cookie",
    "hotdash connect fil@127.0.0.1 --armed",
    "hotdash connect fil@127.0.0.1 --record upgrade.rec",
    "hotdash replay upgrade.rec",
    "hotdash replay upgrade.rec -o json",
    "hotdash record fil@127.0.0.1 night.rec --for 3600",
    "hotdash serve fil@127.0.0.1",
    "hotdash serve fil@127.0.0.1 --port 0",
    "hotdash ps fil@127.0.0.1 --filter 'state:lime module:fil.* mail>10 !kind:task' --sort mail",
    "hotdash stage fil@127.0.0.1 /tmp/releases/fil-1986.b.tar.gz",
    "hotdash plan fil@127.0.0.1 1986.b",
    "hotdash upgrade fil@127.0.0.1 1986.b --wait 15",
    "hotdash results fil@127.0.0.1",
    "hotdash commit fil@127.0.0.1",
    "hotdash deploy shop@shop.example.org:7000 --cookie-file cookie --yes -o json",
    "journalctl -q -o cat -t hotdash-audit | bin/fil audit --verify --anchor -",
)
"""The commands that are run one after the other on one node that runs fil 1986.a.

The journal of the last one is empty, because not every machine has systemd.
"""
ON_PROJECTS: Final = ("node-runtime appup generate --from OLD --to NEW", "node-runtime appup check OLD NEW")
"""The commands that are run on the projects of fil."""
SCREENS: Final = re.compile(r"hotdash (connect|replay(?!.*json))")
LASTING: Final = re.compile(r"hotdash (record|serve)")
"""The commands that end at ctrl+q, and those that end at Ctrl-C."""
TESTED_IN: Final = {
    "node-runtime dev services/shop": "tests/cli/dev/test_development.py",
    "hotdash deploy shop@127.0.0.1 services/shop": "tests/hotdash/cli/test_deploy.py",
    "hotdash upgrade shop@127.0.0.1 2.0 --cold": "tests/e2e/test_cold_upgrade.py",
}
"""The commands that tests run in another form, with the same verb and options."""
NOT_RUN: Final = {
    "hotdash connect fil@127.0.0.1 nine9s@127.0.0.1": "tests/hotdash/fleet opens several nodes, without a terminal",
    "make demo": "tests/hotdash/demo runs it",
    "make test": "runs the tests",
    "make setup && . .venv/bin/activate": "has been done before the tests run",
    "make setup": "has been done before the tests run",
    "make test-all": "runs the tests",
    "make lint": "runs before the tests in CI",
    "make format": "changes the sources",
    "make cases": "runs tests, for minutes",
    "make fuzz": "runs tests, for minutes",
    "pip install pre-commit && pre-commit install": "needs a package index, and changes the checkout",
}
"""The commands that no test runs, each with the reason."""


def shown_lines() -> list[CommandLine]:
    return [line for page in PAGES for line in command_lines(page) if line.shown]


def walked() -> set[str]:
    pages = [(ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in WALKED]
    return {shown.line for shown in itertools.chain.from_iterable(map(commands, pages))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_line_of_a_page_is_one_that_its_program_accepts(page: Path) -> None:
    wrong = []
    for line in command_lines(page):
        parts = simple_commands(line.text) if line.shown else [words_of_prose(line.text)]
        wrong += [(line.text, error) for words in parts if (error := misuse(words, whole=line.shown))]
    assert wrong == []


def test_a_command_line_with_a_mistake_is_found() -> None:
    assert misuse(["hotdash", "upgrade", "NODE", "2.0", "--cold"], whole=True) == ""
    assert misuse(["hotdash", "upgrade", "NODE", "--cold"], whole=True) == "an argument is missing"
    assert "--warm" in misuse(["hotdash", "upgrade", "NODE", "2.0", "--warm"], whole=True)
    assert "--warm" in misuse(["hotdash", "upgrade", "--warm"], whole=False)
    assert "updrade" in misuse(["hotdash", "updrade"], whole=False)
    assert "--on" in misuse(["bin/<name>", "cookie", "--on"], whole=False)
    assert "nothing" in misuse(["make", "nothing"], whole=False)
    assert "nothing" in misuse(["pip", "install", "hotdash[nothing]"], whole=False)


def test_each_command_line_of_a_block_is_run_or_left_out_for_a_reason() -> None:
    run = walked() | {line for line, _ in LIFE} | {*ON_FIL} | {*ON_PROJECTS} | TESTED_IN.keys() | NOT_RUN.keys()
    tests = re.compile(r"\.venv/bin/python -m pytest ")
    assert {line.text for line in shown_lines() if not tests.match(line.text)} - run == set()
    assert {*ON_FIL, *ON_PROJECTS, *TESTED_IN, *NOT_RUN} - {line.text for line in shown_lines()} == set()


@pytest.mark.parametrize(("line", "path"), TESTED_IN.items())
def test_a_test_that_runs_a_command_in_another_form_has_its_verb_and_options(line: str, path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    verb = line.split()[1]
    assert verb in text
    assert [option for option in re.findall(r"-[-\w]+", line) if option.startswith("--") and option not in text] == []


def test_the_tests_that_the_pages_run_exist() -> None:
    found = [line.text.split()[3:] for line in shown_lines() if " -m pytest " in line.text]
    assert found
    for path, *rest in found:
        assert (ROOT / path).exists()
        if rest:
            option, word = rest
            assert option == "-k"
            assert word in (ROOT / path).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class PageCommands:
    """A node that runs fil 1986.a, the folder in which its operator works, and the node's name for other machines."""

    node: FilNode
    folder: Path
    tarballs: dict[str, Path]
    remote: str

    def run(self, line: str) -> None:
        """Run a command of a page, and end it if it lasts."""
        words = ["bash", "-c", self._adapted(line)]
        if SCREENS.match(line):
            output, ended = drawn(words, self.node.environment, self.folder, "1986", QUIT)
        elif LASTING.match(line):
            output, ended = self._interrupted(words)
        else:
            output, ended = self._ended(words)
            deadline = time.monotonic() + 60
            while "not at this instant" in output and time.monotonic() < deadline:
                output, ended = self._ended(words)  # the state machine was in the state that the target lacks
        assert ended == 0, f"{line}\n{output}"

    def _adapted(self, line: str) -> str:
        """The line with the node's own places; without a terminal, `--yes` is the consent to an upgrade."""
        names = {
            "/tmp/releases/fil-1986.b.tar.gz": str(self.tarballs["1986.b"]),
            "bin/fil": str(self.node.directory / "bin" / "fil"),
            "shop@shop.example.org:7000 --cookie-file": f"{self.remote} {EXAMPLES / '1986.c'} --cookie-file fil.",
            "fil. cookie": "fil.cookie",
            "fil@host:9100": self.remote,
            "journalctl -q -o cat -t hotdash-audit": "printf ''",
        }
        for shown, own in names.items():
            line = line.replace(shown, own)
        return f"exec {line} --yes" if line.startswith("hotdash upgrade") else line if "|" in line else f"exec {line}"

    def _ended(self, words: list[str]) -> tuple[str, int]:
        done = subprocess.run(
            words, cwd=self.folder, env=self.node.environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr, done.returncode

    def _interrupted(self, words: list[str]) -> tuple[str, int]:
        with subprocess.Popen(
            words, cwd=self.folder, env=self.node.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as program:  # fmt: skip
            assert program.stdout is not None
            first = program.stdout.readline()
            program.send_signal(signal.SIGINT)
            return first + program.communicate(timeout=120)[0], program.returncode


@pytest.fixture
def page_commands(fil_tarballs: dict[str, Path], tmp_path: Path) -> Iterator[PageCommands]:
    folder = tmp_path / "work"
    folder.mkdir()
    node = install(fil_tarballs["1986.a"], tmp_path)
    listen = f"127.0.0.1:{free_port()}"
    (node.directory / "etc" / "node.toml").write_text(f'listen = "{listen}"\n')
    with running(node):
        node.fil("cookie", "--out", folder / "fil.cookie")
        yield PageCommands(node, folder, fil_tarballs, f"fil@{listen}")


@pytest.mark.slow
def test_the_commands_of_the_pages_work_on_a_node_that_runs_fil(page_commands: PageCommands) -> None:
    for line in ON_FIL:
        page_commands.run(line)


def test_the_commands_of_the_page_about_appups_work_on_the_projects_of_fil(tmp_path: Path) -> None:
    old, new = (Path(shutil.copytree(EXAMPLES / vsn, tmp_path / vsn)) for vsn in ("1986.a", "1986.b"))
    for line in ON_PROJECTS:
        words = line.replace("OLD", str(old)).replace("NEW", str(new))
        command(*words.split(), env=environment(tmp_path))
