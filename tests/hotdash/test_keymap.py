"""The user's keys: the documented example works, and a file with an error is refused with a sentence."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.widget import Widget

import hotdash.views
import hotdash.widgets
from hotdash.actions import ACTIONS
from hotdash.keymap import keymap_path, make_keymap, read_keymap
from hotdash.moves import MOVES
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.dashboard.dashboard_pilot import Open


def refusal(table: dict[str, object]) -> str:
    with pytest.raises(Refused) as caught:
        make_keymap(table, "keys.toml")
    assert caught.value.code == ExitCode.USAGE
    return caught.value.sentence


def write(text: str) -> Path:
    path = keymap_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


async def test_the_documented_example_upgrades_instead_of_paging_up(opened: Open) -> None:
    write('upgrade = "ctrl+u"\nview_modules = "m"\n')
    async with opened(read_only=False) as user:
        await user.press("5", "down", "ctrl+u")
        await user.sees("Type 1986.b to proceed")
        await user.press("escape", "m")
        await user.sees("No old code")


async def test_the_help_shows_the_keys_that_a_movement_has_left(opened: Open) -> None:
    write('upgrade = "ctrl+u"\n')
    async with opened((120, 140)) as user:
        await user.press("question_mark")
        await user.sees("[page_up]")
        assert "^u" not in next(text for text in user.frame().splitlines() if "[page_up]" in text)


async def test_movements_can_be_remapped_too(opened: Open) -> None:
    write('move_down = "ctrl+n"\n')
    async with opened(read_only=False) as user:
        await user.press("5", "ctrl+n", "p")
        await user.sees("Upgrade from 1986.a to 1986.b")


async def test_the_help_names_the_ids_of_actions_and_movements(opened: Open) -> None:
    async with opened((120, 140)) as user:
        await user.press("question_mark")
        await user.sees("[upgrade]", "[view_modules]", "[page_up]", "keys.toml")


def test_the_default_keys_have_one_meaning_each() -> None:
    assert make_keymap({}, "defaults") == {}


def test_a_key_that_belongs_to_another_action_is_refused() -> None:
    assert refusal({"kill": "R"}) == (
        "keys.toml gives R to 'kill', but this key belongs to 'restart'; choose another key for one of them."
    )
    assert "gives the same key to 'restart'" in refusal({"kill": "f5", "restart": "f5"})


def test_keys_can_be_exchanged() -> None:
    assert make_keymap({"kill": "R", "restart": "K"}, "keys.toml") == {"kill": "R", "restart": "K"}


def test_an_unknown_action_is_refused_with_the_nearest_name() -> None:
    assert refusal({"upgrde": "f5"}) == ("keys.toml names 'upgrde', which is not an action; did you mean 'upgrade'?")
    assert "the ids are view_overview" in refusal({"zzzzzz": "f5"})


@pytest.mark.parametrize("key", ["hyper-u", "ctl+u", "f99x", "ctrl+", "\x1b", "ab"])
def test_an_unknown_key_is_refused(key: str) -> None:
    assert "which is not the name of a key" in refusal({"upgrade": key})


@pytest.mark.parametrize("value", ["", " ", 5, ["f5"], {"a": 1}])
def test_a_value_that_is_no_text_is_refused(value: object) -> None:
    assert refusal({"upgrade": value}) == "keys.toml has no key for 'upgrade'; write for example upgrade = \"f5\"."


@pytest.mark.parametrize("key", ["enter", "tab", "escape", "up"])
def test_keys_that_dialogs_need_are_refused(key: str) -> None:
    assert "dialogs and lists need this key" in refusal({"upgrade": key})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("^u", "ctrl+u"),
        ("Ctrl+U", "ctrl+u"),
        ("/", "slash"),
        ("shift+b", "B"),
        ("~", "tilde"),
        ("f5, ;", "f5,semicolon"),
    ],
)
def test_keys_can_be_written_as_they_are_shown(written: str, meant: str) -> None:
    keys = {"filter": "f9"} if written == "/" else {}
    assert make_keymap({**keys, "upgrade": written}, "keys.toml")["upgrade"] == meant


def test_a_movement_keeps_one_key() -> None:
    assert make_keymap({"upgrade": "asterisk", "open_all": "f6"}, "keys.toml")["open_all"] == "f6"
    assert refusal({"upgrade": "asterisk"}) == (
        "keys.toml gives * to 'upgrade', but it is the only key of 'open_all'; choose another key for one of them."
    )


def test_a_file_that_is_no_toml_is_refused(run_directory: Path) -> None:
    with pytest.raises(Refused, match="can't be read"):
        read_keymap(write("upgrade = "))


def test_every_key_of_a_list_belongs_to_a_movement_that_can_be_remapped() -> None:
    """A key without an id would win over the user's keymap without a word."""
    ids = {move.id for move in MOVES} | {action.id for action in ACTIONS}
    loose = [
        (widget.__name__, binding.key)
        for package in (hotdash.views, hotdash.widgets)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        for widget in vars(importlib.import_module(module.name)).values()
        if isinstance(widget, type) and issubclass(widget, Widget) and widget.__module__ == module.name
        for binding in vars(widget).get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.key not in ("enter", "escape") and binding.id not in ids
    ]
    assert loose == []
