"""Runs an operation once for each of its steps on the disk, each time with a fault at that step.

Each run is a forked child of its own, on a fresh copy of the same folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node_runtime.protocol.exit_codes import Refused

from .injector import NEEDS_SPACE, Injector, Step

Operation = Callable[[Path], object]
"""Changes the folder; raises Refused, or SystemExit with another code than 0, if it can't."""


class Run(msgspec.Struct, frozen=True):
    """How a run of an operation has ended, and its steps, if it has not been killed.

    `ended` is "killed", "done", "refused", "failed" (an OSError) or "raised" (another exception). `error` is the
    refusal or the traceback.
    """

    ended: str
    steps: tuple[Step, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """A fault at a step of an operation, and the folder that it has left behind."""

    folder: Path
    fault: str
    step: Step
    run: Run


def run_once(operation: Operation, folder: Path, fault: str = "kill", at: int = 0) -> Run:
    """Run the operation in a forked child, with the fault at step `at`; 0 means no fault."""
    report = folder.with_name(f"{folder.name}.report")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child needs no other thread
        pid = os.fork()
    if pid == 0:
        _run_in_child(operation, folder, Injector((folder,), fault, at), report)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return Run("killed")
    return msgspec.json.decode(report.read_bytes(), type=Run)


def _run_in_child(operation: Operation, folder: Path, injector: Injector, report: Path) -> None:
    os.umask(0o077)
    write = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    write_all, ended, error = os.write, "done", ""
    try:
        injector.install()
        operation(folder)
    except Refused as refused:
        ended, error = "refused", refused.sentence
    except SystemExit as end:
        ended = "refused" if end.code else "done"
    except BaseException as raised:  # the parent process has to hear of each
        ended, error = "failed" if isinstance(raised, OSError) else "raised", traceback.format_exc()
    steps = tuple(injector.steps)
    write_all(write, msgspec.json.encode(Run(ended, steps, error)))
    sys.stdout.flush()
    os._exit(0)


def crash_points(operation: Operation, before: Path, fault: str, every: int = 1) -> Iterator[CrashPoint]:
    """Yield each `every`-th point at which the fault can be injected, each with a fresh copy of the folder `before`."""
    whole = _copied(before, "whole")
    run = run_once(operation, whole)
    assert run.ended == "done", run
    shutil.rmtree(whole)
    possible = [
        number
        for number, step in enumerate(run.steps, 1)
        if step.kind != "nothing" and (fault != "full" or step.kind in NEEDS_SPACE)
    ]
    for number in possible[::every]:
        folder = _copied(before, f"{fault}-{number}")
        yield CrashPoint(folder, fault, run.steps[number - 1], run_once(operation, folder, fault, number))
        shutil.rmtree(folder)


def _copied(before: Path, name: str) -> Path:
    copy = before.with_name(f"{before.name}-{name}")
    shutil.copytree(before, copy, symlinks=True)
    return copy
