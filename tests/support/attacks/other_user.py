"""Runs a function as another user of the machine: root starts a process, which becomes `nobody` before it attacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.support.sources import ROOT

NOBODY: Final = 65534
LIMIT: Final = 60.0
needs_root: Final = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user of the machine")
_START: Final = """
import importlib, json, os, sys
module, function, uid, arguments = sys.argv[1:]
attack = getattr(importlib.import_module(module), function)
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))
os.umask(0)
os.chdir("/")
print(json.dumps(attack(*json.loads(arguments))), flush=True)
"""


def _line(attack: Callable[..., object], uid: int, arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-c", _START, attack.__module__, attack.__name__, str(uid), json.dumps(arguments)]


def as_other_user(attack: Callable[..., object], *arguments: object, uid: int = NOBODY) -> Any:
    """The result of `attack(*arguments)`, called by another user; both have to be JSON."""
    done = subprocess.run(
        _line(attack, uid, arguments), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def while_other_user(attack: Callable[..., object], *arguments: object, uid: int = NOBODY) -> Iterator[list[Any]]:
    """Call an attack that prints one JSON line when it has begun and goes on until its standard input is closed.

    The block gets a list with what it has printed at first; at the end of the block, the attack's result is added.
    """
    process = subprocess.Popen(
        _line(attack, uid, arguments), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = [json.loads(process.stdout.readline())]
        yield found
        process.stdin.close()
        found.append(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()
