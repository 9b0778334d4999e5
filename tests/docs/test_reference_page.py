"""docs/reference.md: the committed page is the one that the code gives, and it is complete."""

from __future__ import annotations

from docs.reference_page import PAGE, page
from hotdash.cli.verb_group import VERBS
from node_runtime import public_names
from node_runtime.cli.commands import node_runtime

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_generated_from_the_code() -> None:
    assert page() == TEXT, "docs/reference.md is older than the code: run `make reference-page`"


def test_every_command_and_public_name_is_on_the_page() -> None:
    for verb in VERBS:
        assert f"### hotdash {verb}" in TEXT
    for command in node_runtime.commands:
        assert f"### node-runtime {command}" in TEXT
    for name in public_names.__all__:
        assert f"| `{name}` |" in TEXT


def test_every_name_has_a_meaning() -> None:
    assert [row for row in TEXT.splitlines() if row.startswith("| `") and row.endswith("|  |")] == []
    assert "str(object=" not in TEXT


def test_the_callbacks_of_servers_and_state_machines_are_on_the_page() -> None:
    for callback in ("handle_info", "handle_event", "code_change", "config_change"):
        assert f"| `{callback}` | " in TEXT
