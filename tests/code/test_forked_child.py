"""Forked children: no handler of a C library runs at the fork, and a refused fork leaves nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from node_runtime.code.forked_child import fork_child, read_all, write_all

BLOCKING_HANDLER = """
import ctypes, time
from node_runtime.code.forked_child import fork_child, read_all, write_all

libc = ctypes.CDLL(None)
libc["__register_atfork"](libc.pause, None, None, None)  # as OpenBLAS, whose handler waits for its threads
child = fork_child(lambda writer: write_all(writer, b"here"))
print(read_all(child.reader, time.monotonic() + 10.0).decode())
child.kill()
child.wait()
"""
IMPATIENT_THREADS = """
import sys, threading, time
from node_runtime.code.forked_child import fork_child, read_all, write_all

def spin():
    while True:
        pass

for _ in range(2):
    threading.Thread(target=spin, daemon=True).start()
sys.setswitchinterval(1e-6)  # so another thread has asked for the interpreter's lock at each fork
for _ in range(20):
    child = fork_child(lambda writer: write_all(writer, b"."))
    print(read_all(child.reader, time.monotonic() + 10.0).decode(), end="")
    child.kill()
    child.wait()
"""
LIMIT = 60.0


def test_a_handler_of_a_c_library_that_waits_does_not_stop_the_fork() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BLOCKING_HANDLER], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ran.stdout, ran.stderr) == ("here\n", "")


def test_a_child_does_not_wait_for_a_thread_that_asked_for_the_interpreter_s_lock() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPATIENT_THREADS], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ran.stdout, ran.stderr) == ("." * 20, "")


def test_a_child_has_python_s_own_part_of_a_fork() -> None:
    def work(writer: int) -> None:
        import threading

        threads = [threading.Thread(target=print, args=(b"x = 1", "x.py", ""))]
        threads[0].start()
        threads[0].join()
        write_all(writer, f"{threading.active_count()} {os.getpid()}".encode())

    child = fork_child(work)
    try:
        assert read_all(child.reader, time.monotonic() + LIMIT).decode() == f"1 {child.pid}"
    finally:
        child.kill()
        assert child.wait() in (0, 9)


def test_a_refused_fork_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(BlockingIOError):
        fork_child(lambda writer: None)
    assert {*os.listdir("/proc/self/fd")} <= {*before}  # a collection may close what earlier tests have left open
