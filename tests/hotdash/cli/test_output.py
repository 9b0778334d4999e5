"""Output of the verbs: what a hostile node sends does nothing to a terminal, in JSON either."""

from __future__ import annotations

import json

import pytest

from hotdash.cli.output import show
from hotdash.cli.tables.layout import key_values
from node_runtime.protocol import messages as m

HOSTILE = "\x1b]0;x\x07\x9b31m\u202e\u2066\u2028\x7f\u200b"


@pytest.mark.parametrize("output", ["json", "table"])
def test_no_control_or_bidirectional_character_of_a_node_reaches_the_terminal(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = m.NodeEvent(boot_id="b", seq=1, at=0.0, kind="log", text=HOSTILE)
    show([event], output, lambda: key_values(("text", event.text)))
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    if output == "json":
        assert json.loads(out)[0]["text"] == HOSTILE
