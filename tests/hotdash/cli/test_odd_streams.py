"""Output that its stream can't take: another encoding than UTF-8, a closed descriptor, a full disk, a gone reader."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from node_runtime.protocol.process_stat import start_ticks
from node_runtime.protocol.run_directory import NodeRecord, write_record

HOTDASH = f"{shlex.quote(sys.executable)} -m hotdash"
DIRECTORY = "/srv/日本語/é/👩"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A run directory that lists a node whose directory has letters of many alphabets."""
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    write_record(
        NodeRecord(
            name="shop@127.0.0.1",
            os_pid=os.getpid(),
            boot_id="b",
            host="127.0.0.1",
            port=1,
            events_port=1,
            directory=DIRECTORY,
            release="shop",
            vsn="1",
            started=0.0,
            began=start_ticks(os.getpid()),
        )
    )
    return dict(os.environ)


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_the_encoding_lacks_are_escaped(encoding: str, environment: dict[str, str]) -> None:
    environment["PYTHONIOENCODING"] = encoding
    done = run(f"{HOTDASH} nodes", environment)
    assert (done.returncode, done.stderr) == (0, b"")
    done = run(f"{HOTDASH} nodes -o json", environment)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("latin-1" if encoding == "latin-1" else "utf-8")
    assert json.loads(text)[0]["directory"] == DIRECTORY


@pytest.mark.parametrize(
    ("verb", "how"),
    [
        *(("nodes -o json", how) for how in (">&-", "<&- >&- 2>&-", ">/dev/full", "| head -1")),
        *(("status shop", how) for how in ("2>&-", "<&- >&- 2>&-", "2>/dev/full")),  # which writes to stderr only
    ],
)
def test_a_stream_that_takes_nothing_ends_no_verb_with_a_traceback(
    verb: str, how: str, environment: dict[str, str]
) -> None:
    done = run(f"{HOTDASH} {verb} {how}", environment)
    assert b"Traceback" not in done.stderr
    assert done.returncode in range(7)
