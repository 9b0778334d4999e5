"""docs/protocol.md: the committed page is the one that the code gives, and it is complete."""

from __future__ import annotations

from docs.protocol_page import PAGE, page
from node_runtime.protocol import messages
from node_runtime.protocol.exit_codes import ExitCode
from node_runtime.protocol.methods import METHODS

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_generated_from_the_code() -> None:
    assert page() == TEXT, "docs/protocol.md is older than the code: run `make protocol-page`"


def test_every_method_message_and_exit_code_is_on_the_page() -> None:
    for method in METHODS:
        assert f"| `{method.name}` | [{method.params.__name__}]" in TEXT
    for name in messages.__all__:
        assert f"### {name}\n" in TEXT or f"| `{name}` |" in TEXT or name == "WireStruct"
    for code in ExitCode:
        assert f"| {code.value} | `{code.name}` |" in TEXT
