"""The answers of commands and pages, and `hotdash` run in the process of the test, which saves the start of Python."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hotdash.cli import main
from tests.support.nodes.fil_node import COMMAND_LIMIT


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's exit code, stdout and stderr."""

    rc: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The value in stdout; None where it is not JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            return None

    @property
    def last(self) -> str:
        """The last line of the command's output, or the error of the operation in it."""
        value = self.json
        if isinstance(value, dict) and value.get("error"):
            return str(value["error"])
        lines = (self.err.strip() or self.out.strip() or "no output").splitlines()
        return lines[-1].strip()


class Page(str):
    """The text of a page. `status` is 0 if nobody answered."""

    status = 200

    @property
    def last(self) -> str:
        """The last line, which is the error of a traceback."""
        return (self.strip() or "an empty page").splitlines()[-1]

    def value(self) -> Any:
        """The Python value that the page shows."""
        return ast.literal_eval(self.strip())


def run_command(words: list[object], environment: Mapping[str, str], folder: Path, more: Mapping[str, Any]) -> Answer:
    """Run a program to its end, without a terminal; `more` are arguments of `subprocess.run`."""
    given: dict[str, Any] = {"env": environment, "cwd": folder, "stdin": subprocess.DEVNULL, "capture_output": True}
    given |= {"timeout": COMMAND_LIMIT, **more}
    done: subprocess.CompletedProcess[bytes] = subprocess.run([str(word) for word in words], **given, check=False)
    out, err = ((part or b"").decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return Answer(done.returncode, out, err)


def run_hotdash(words: list[object], environment: Mapping[str, str]) -> Answer:
    """Run `hotdash` in this process, with the environment that it would have in its own."""
    said = (io.BytesIO(), io.BytesIO())
    out, err = (io.TextIOWrapper(stream, "utf-8", "replace", write_through=True) for stream in said)
    code = 0
    with _as_a_command(environment, out, err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Answer(code, *(stream.getvalue().decode("utf-8", "replace") for stream in said))


@contextlib.contextmanager
def _as_a_command(environment: Mapping[str, str], out: io.TextIOWrapper, err: io.TextIOWrapper) -> Iterator[None]:
    with (
        open(os.devnull, encoding="utf-8") as nothing,
        patch.dict(os.environ, environment, clear=True),
        patch("sys.stdin", nothing),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield


def get_page(url: str, within: float) -> Page:
    """Fetch a page as a browser does."""
    try:
        with urllib.request.urlopen(url, timeout=within) as answer:
            return Page(answer.read().decode())
    except urllib.error.HTTPError as error:
        page = Page(error.read().decode())
        page.status = error.code
    except OSError as error:
        page = Page(f"nobody answers: {error}")
        page.status = 0
    return page
