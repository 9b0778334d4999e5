"""The format of a line of the node's log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
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


def test_a_record_of_an_applications_own_factory_has_no_release() -> None:
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "it falls", (), None)
    assert TextFormatter().format(record).endswith(" INFO - - shop: it falls")


async def test_a_text_line_has_time_message_and_process(runtime: Runtime) -> None:
    pid, lines = await lines_of(TextFormatter())
    said, crash, outside = lines
    assert said.endswith(f" WARNING 1986.a shop <{pid}> shop: it falls")
    assert f" ERROR 1986.a shop <{pid}> node_runtime: gen_server shop <{pid}>" in crash
    assert crash.endswith("ValueError: fell")
    assert outside.endswith(" WARNING 1986.a - elsewhere: quiet")


def test_the_lines_of_several_workers_can_be_told_apart() -> None:
    said = record("it falls", node_release="1986.a", node_worker=2)
    assert TextFormatter().format(said).endswith(" INFO 1986.a worker 2 till <7> shop: it falls")
    assert json.loads(JsonFormatter().format(said))["worker"] == 2
    assert "worker" not in json.loads(JsonFormatter().format(record("it falls")))


async def test_a_json_line_has_the_report_as_data(runtime: Runtime) -> None:
    pid, lines = await lines_of(JsonFormatter())
    said, crash, outside = (json.loads(line) for line in lines)
    assert (said["pid"], said["name"], said["release"], said["message"]) == (pid, "shop", "1986.a", "it falls")
    report: dict[str, Any] = crash["report"]
    assert (report["type"], report["reason"], report["last_message"]) == ("CrashReport", "ValueError: fell", "fall()")
    assert report["state"] == "3"
    assert "in fall" in crash["traceback"]
    assert (outside["pid"], outside["name"], outside["level"]) == (None, None, "WARNING")


def record(message: str, *args: object, **attributes: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update({"node_release": "1", "node_pid": 7, "node_registered": "till"} | attributes)
    return made


def caught(error: Exception) -> dict[str, object]:
    try:
        raise error
    except Exception:
        return {"exc_info": sys.exc_info()}


FORGED = "ok\n2026-01-31 12:00:00,123 ERROR 1 - shop: it is on fire\r\x1b[2J\u202e\u2028\x85"


def test_no_message_and_no_error_can_look_like_another_record() -> None:
    for made in (record(FORGED), record("%s", FORGED), record("x", **caught(ValueError(FORGED)))):
        first, *others = TextFormatter().format(made).split("\n")
        assert first.isprintable()
        assert others
        assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_a_name_of_a_process_can_not_look_like_another_record() -> None:
    assert TextFormatter().format(record("x", node_registered=FORGED)).isprintable()


def test_a_json_line_has_no_character_that_acts_on_a_terminal() -> None:
    line = JsonFormatter().format(record(FORGED))
    assert line.isprintable()
    assert json.loads(line)["message"] == FORGED


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_messages_and_tracebacks_have_no_secrets(formatter: logging.Formatter) -> None:
    for made in (
        record("GET /?token=%s", "hunter2"),
        record("headers: %s", {"Authorization": "Basic hunter2"}),
        record("failed", **caught(ValueError("password='hunter2'"))),
        record("failed", stack_info="Stack: postgres://a:hunter2@b"),
        record("token=%s and %s", "hunter2"),
        record("x", node_registered="session_token=hunter2"),
    ):
        assert "hunter2" not in formatter.format(made)


def test_what_nobody_catches_is_logged_without_secrets() -> None:
    program = """
import threading, warnings
from node_runtime.cli.log_lines import log_to_stderr
log_to_stderr("text", lambda: "1")
class Odd:
    def __del__(self):
        raise ValueError("token=hunter2")
def fail():
    raise ValueError("password=hunter2")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Odd()
warnings.warn("secret=hunter2")
fail()
"""
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hunter2" not in done.stderr
    assert done.stderr.count("‹redacted›") >= 4
    assert all(line.startswith(("    ", "20")) for line in done.stderr.splitlines())


DISABLING = """
import logging, logging.config
from node_runtime.cli.log_lines import log_to_stderr
log_to_stderr("text", lambda: "1.0")
logging.config.dictConfig({"version": 1, "loggers": {"shop": {"level": "INFO"}}})
logging.getLogger("shop").warning("of the shop")

logging.getLogger("node_runtime").error("of the node")
logging.getLogger("node_runtime.control").error("of its control plane")
"""


def test_a_release_that_configures_logging_does_not_silence_the_node() -> None:
    said = subprocess.run([sys.executable, "-c", DISABLING], capture_output=True, text=True, timeout=60, check=True)
    assert "of the node" in said.stderr
    assert "of its control plane" in said.stderr
