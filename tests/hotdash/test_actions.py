"""The registry of actions: ids, keys, command lines, keymaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotdash.action_commands import CommandSubject
from hotdash.actions import ACTIONS, BY_ID, command_line_of, footer_actions, refusal_of, shown_keys
from hotdash.keymap import read_keymap
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused


def test_every_action_has_its_own_id_and_key() -> None:
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_what_changes_a_node_needs_a_shifted_key_and_the_operators_role() -> None:
    for action in ACTIONS:
        if action.role == "operator":
            assert len(action.keys) == 1
            assert action.keys.isupper() or action.changes_nothing
            assert action.command_line is not None


def test_a_plan_needs_the_role_operator_but_no_armed_dashboard() -> None:
    plan, upgrade = BY_ID["plan"], BY_ID["upgrade"]
    assert refusal_of(plan, "operator", armed=False, keymap={}) == ""
    assert "read-only. Press !" in refusal_of(upgrade, "operator", armed=False, keymap={})
    for armed in (False, True):
        refusal = refusal_of(plan, "viewer", armed=armed, keymap={})
        assert "'Plan the selected release' needs the role operator. A plan executes code of the release" in refusal
        assert "bin/<name> cookie" in refusal


def test_command_lines_are_quoted_for_a_shell() -> None:
    subject = CommandSubject("fil@127.0.0.1", vsn="1986.b", options=m.InstallOptions(wait=10, reason="it is time"))
    assert (
        command_line_of("upgrade", subject)
        == "hotdash upgrade fil@127.0.0.1 1986.b --yes --wait 10 --reason 'it is time'"
    )
    remote = CommandSubject("fil@example:9100", "/keys/my fil", pid=12)
    assert command_line_of("kill", remote) == "hotdash kill fil@example:9100 12 --yes --cookie-file '/keys/my fil'"
    assert command_line_of("theme", subject) == ""


def test_the_footer_and_the_help_show_remapped_keys() -> None:
    assert shown_keys(BY_ID["upgrade"], {}) == ["U"]
    assert shown_keys(BY_ID["upgrade"], {"upgrade": "ctrl+u"}) == ["^u"]
    assert shown_keys(BY_ID["help"], {}) == ["?", "f1"]
    assert {"stage", "plan", "upgrade"} <= {action.id for action in footer_actions("releases")}


def test_a_keymap_names_actions_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    assert read_keymap(path) == {}
    path.write_text("upgrade = 'ctrl+u'")
    assert read_keymap(path)["upgrade"] == "ctrl+u"
    path.write_text("explode = 'x'")
    with pytest.raises(Refused, match="not an action"):
        read_keymap(path)
    path.write_text("upgrade = 3")
    with pytest.raises(Refused, match="no key"):
        read_keymap(path)
