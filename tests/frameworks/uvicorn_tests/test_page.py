"""The page about the web layer lists each test of uvicorn that can't apply to a listener."""

from __future__ import annotations

from tests.frameworks.uvicorn_tests.listener_plugin import NOT_APPLYING
from tests.support.pages.shown_commands import ROOT


def test_the_tests_that_can_not_apply_are_listed_with_their_reasons() -> None:
    page = (ROOT / "docs" / "layers" / "web.md").read_text(encoding="utf-8")
    for name, reason in NOT_APPLYING.items():
        assert f"| `{name}` | {reason} |" in page
