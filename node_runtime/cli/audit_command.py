"""The verb `audit` of bin/<name>: prints or verifies the audit log, even if the node is down."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from node_runtime.control.audit import open_audit_log, verify
from node_runtime.control.audit.audit_log import MAX_LISTED_ENTRIES
from node_runtime.protocol.exit_codes import ExitCode, Refused


def audit(directory: Path, arguments: list[str]) -> None:
    """Run `audit` with its arguments. Raises Refused if that fails, and if the log is broken."""
    parser = argparse.ArgumentParser(prog="audit", description="Print the newest entries of the audit log as JSON.")
    parser.add_argument("--limit", type=int, default=50, help=f"the number of entries, at most {MAX_LISTED_ENTRIES}")
    parser.add_argument("--verify", action="store_true", help="check that no entry was changed, inserted or removed")
    parser.add_argument("--anchor", metavar="FILE", help="compare the log with the anchor's lines in FILE; - is stdin")
    options = parser.parse_args(arguments)
    if options.anchor is not None and not options.verify:
        raise Refused("--anchor needs --verify.", ExitCode.USAGE)
    if not options.verify:
        for entry in open_audit_log(directory).newest(options.limit):
            print(json.dumps(msgspec.to_builtins(entry)))  # in ASCII, so that no text can control the terminal
        return
    script = next((path for path in sorted((directory / "bin").glob("*")) if path.is_file()), directory / "bin/<name>")
    try:
        if options.anchor is None:
            check = verify(directory, script)
        else:
            with _opened(options.anchor) as lines:
                check = verify(directory, script, lines)
    except OSError as error:
        raise Refused(f"The audit log can't be read: {error}.") from None
    if not check.intact:
        raise Refused(check.sentence)
    print(check.sentence)


@contextmanager
def _opened(name: str) -> Iterator[IO[str]]:
    if name == "-":
        yield sys.stdin
        return
    with open(name, encoding="utf-8", errors="replace") as file:
        yield file
