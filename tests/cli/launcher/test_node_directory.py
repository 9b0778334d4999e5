"""The files in a node's directory, as its launcher reads them."""

from __future__ import annotations

import threading
from pathlib import Path

from node_runtime.cli.launcher.node_directory import read_json


def test_a_file_that_another_process_deletes_meanwhile_is_as_good_as_none(tmp_path: Path) -> None:
    """A parent deletes the status of the parent before it, while `start` waits for the new one."""
    file, has_ended = tmp_path / "parent.json", threading.Event()

    def come_and_go() -> None:
        while not has_ended.is_set():
            file.unlink(missing_ok=True)
            file.with_suffix(".new").write_text('{"pid": 1}')
            file.with_suffix(".new").replace(file)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(10_000):
            assert read_json(file) in ({}, {"pid": 1})
    finally:
        has_ended.set()
        thread.join()
