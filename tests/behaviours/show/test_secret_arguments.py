"""The arguments of a program in a state: a secret is often an item of its own, and its option is another one."""

from __future__ import annotations

import pytest

from node_runtime.behaviours.show.describe import describe
from node_runtime.processes.redaction.named_secrets import REDACTED

SECRET = "hunter2X9"


@pytest.mark.parametrize(
    "arguments",
    [
        ["prog", "--password", SECRET],
        ("--token", SECRET, "x"),
        ["mysql", "-h", "db", f"-p{SECRET}", "shop"],
        ["/usr/bin/curl", "-sS", "-u", f"ana:{SECRET}", "https://example.com"],
        ["docker", "login", "-u", "ana", "-p", SECRET],
        ["sshpass", "-p", SECRET, "ssh", "host"],
    ],
)
def test_a_secret_among_the_arguments_of_a_program_is_hidden_and_its_option_is_not(
    arguments: list[str] | tuple[str, ...],
) -> None:
    shown = str(describe({"command": arguments}))
    assert SECRET not in shown
    assert shown.count(REDACTED) == 1
    assert arguments[0] in shown


@pytest.mark.parametrize(
    "items",
    [["prog", "--verbose", "x1234567"], ["-p", "8080", "docker"], ["--token"], ["a", "-1", 5, None], [-1, "--token"]],
)
def test_other_lists_are_shown_whole(items: list[object]) -> None:
    assert REDACTED not in str(describe(items))


def test_a_long_list_of_long_arguments_takes_little_time() -> None:
    describe(["--token", "-" * 1_000_000] * 1_000_000)
