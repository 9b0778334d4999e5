"""The format of a line of the node's log."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from node_runtime import GenServer, Runtime, cast, gen_server, until_ended
from node_runtime.cli.log_lines import JsonFormatter, TextFormatter
from node_runtime.processes.log_context import add_process_to_log_records

pytestmark = pytest.mark.each_loop


class Shop(GenServer[int]):
    def init(self) -> int:
        return 3

    def fall(self) -> None:
        logging.getLogger("shop").warning("it falls")
        raise ValueError("fell")


class Lines(logging.Handler):
    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def lines_of(formatter: logging.Formatter) -> tuple[int, list[str]]:
    """The log of a server that logs a message and crashes, and its pid."""
    handler = Lines(formatter)
    undo = add_process_to_log_records(lambda: "1986.a")
    logging.getLogger().addHandler(handler)
    try:
        pid = await gen_server.start(Shop, name="shop")
        cast(pid, Shop.fall)
        await until_ended(pid)
        logging.getLogger("elsewhere").warning("quiet")
    finally:
        logging.getLogger().removeHandler(handler)
        undo()
    return int(pid), handler.lines


async def test_a_text_line_has_time_message_and_process(runtime: Runtime) -> None:
    pid, lines = await lines_of(TextFormatter())
    said, crash, outside = lines
    assert said.endswith(f" WARNING 1986.a shop <{pid}> shop: it falls")
    assert f" ERROR 1986.a shop <{pid}> node_runtime: gen_server shop <{pid}>" in crash
    assert crash.endswith("ValueError: fell")
    assert outside.endswith(" WARNING 1986.a - elsewhere: quiet")


async def test_a_json_line_has_the_report_as_data(runtime: Runtime) -> None:
    pid, lines = await lines_of(JsonFormatter())
    said, crash, outside = (json.loads(line) for line in lines)
    assert (said["pid"], said["name"], said["release"], said["message"]) == (pid, "shop", "1986.a", "it falls")
    report: dict[str, Any] = crash["report"]
    assert (report["type"], report["reason"], report["last_message"]) == ("CrashReport", "ValueError: fell", "fall()")
    assert report["state"] == "3"
    assert "in fall" in crash["traceback"]
    assert (outside["pid"], outside["name"], outside["level"]) == (None, None, "WARNING")
