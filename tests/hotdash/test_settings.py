"""The settings file, its schema, and what the dashboard remembers by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hotdash.cli import hotdash
from hotdash.config.memory import MAX_FILE_BYTES, Memory, memory_path, read_memory, write_memory
from hotdash.config.settings import Settings, read_settings, settings_path, settings_schema
from hotdash.themes import TERMINAL_THEME, starting_theme
from node_runtime.protocol.exit_codes import ExitCode, Refused
from tests.support.dashboard.dashboard_pilot import Open


@pytest.fixture(autouse=True)
def home(run_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def write(text: str) -> Path:
    path = settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_settings_are_read_from_toml() -> None:
    path = write(
        'theme = "nord"\nremember = false\n[nodes."fil@host:9100"]\ncookie_file = "~/fil.cookie"\n'
        '[columns]\nprocesses = ["name", "mailbox"]\n'
    )
    settings = read_settings(path)
    assert (settings.theme, settings.remember, settings.columns) == ("nord", False, {"processes": ("name", "mailbox")})
    assert settings.nodes["fil@host:9100"].cookie_path() == Path.home() / "fil.cookie"


def test_without_a_file_the_defaults_apply() -> None:
    assert read_settings(settings_path()) == Settings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('thme = "nord"', "has the setting 'thme', which does not exist; the settings are theme, remember"),
        (
            "remember = 3",
            "Expected `bool`, got `int` - at `$.remember`; 'hotdash config schema' prints the schema of the file.",
        ),
        ("[nodes.x]\ncookie = 1", "Object contains unknown field `cookie`"),
        ("theme =", "can't be read"),
        ("theme = '" + "x" * 300_000 + "'", "is too large"),
    ],
)
def test_a_file_with_an_error_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        read_settings(write(text))
    assert sentence in caught.value.sentence
    assert caught.value.code == ExitCode.USAGE


def test_the_schema_describes_every_setting() -> None:
    printed = CliRunner().invoke(hotdash, ["config", "schema"]).output
    schema = json.loads(printed)
    assert schema == settings_schema()
    assert set(schema["$defs"]["Settings"]["properties"]) == set(Settings.__struct_fields__)
    assert schema["$defs"]["Settings"]["additionalProperties"] is False
    assert all("description" in about for about in schema["$defs"]["Settings"]["properties"].values())


def test_config_show_prints_files_settings_and_keys() -> None:
    write('theme = "nord"\n').with_name("keys.toml").write_text('upgrade = "ctrl+u"\n')
    shown = json.loads(CliRunner().invoke(hotdash, ["config", "show", "-o", "json"]).output)
    assert shown["settings"]["theme"] == "nord"
    assert shown["keys"] == {"upgrade": "ctrl+u", "page_up": "pageup"}
    assert shown["files"]["remembered"] == str(memory_path())


async def test_an_unknown_theme_is_refused_with_the_themes(opened: Open) -> None:
    with pytest.raises(Refused, match=r"There is no theme 'mauve'; the themes are .*hotdash-light"):
        async with opened(settings=Settings(theme="mauve")):
            pass


async def test_the_theme_and_the_closed_rows_are_remembered(opened: Open) -> None:
    write_memory(
        memory_path(), Memory(theme="hotdash-light", nodes={"fil@127.0.0.1": {"overview": {"closed": ("web",)}}})
    )
    async with opened(memory=memory_path()) as user:
        assert user.app.theme == "hotdash-light"
        await user.sees("▸ web 0.1.0")
        user.app.theme = "nord"
        await user.press("asterisk")
        await user.sees("▾ web 0.1.0")
        await user.press("home", "left")
        await user.sees("▸ web 0.1.0")
        user.app.exit()
    memory = read_memory(memory_path())
    assert memory.theme == "nord"
    assert memory.nodes["fil@127.0.0.1"]["overview"]["closed"] == ("web",)


async def test_nothing_is_remembered_if_the_user_says_so(opened: Open) -> None:
    async with opened(memory=memory_path(), settings=Settings(remember=False)) as user:
        user.app.theme = "nord"
        user.app.exit()
    assert not memory_path().exists()


async def test_a_theme_of_the_settings_wins_over_the_remembered_one(opened: Open) -> None:
    write_memory(memory_path(), Memory(theme="nord"))
    async with opened(memory=memory_path(), settings=Settings(theme="hotdash-light")) as user:
        assert user.app.theme == "hotdash-light"
        user.app.exit()
    assert read_memory(memory_path()).theme == "nord"


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"nodes": 3}', b"[" * 100_000, b" " * (MAX_FILE_BYTES + 1)])
def test_a_damaged_memory_is_an_empty_one(content: bytes) -> None:
    memory_path().parent.mkdir(parents=True)
    memory_path().write_bytes(content)
    assert read_memory(memory_path()) == Memory()


def test_the_memory_is_bounded_and_private() -> None:
    memory = Memory()
    for number in range(60):
        memory = memory.with_views(f"n{number}@host", {"overview": {"closed": tuple(map(str, range(600)))}})
    write_memory(memory_path(), memory)
    assert memory_path().stat().st_mode & 0o777 == 0o600
    kept = read_memory(memory_path())
    assert list(kept.nodes) == [f"n{number}@host" for number in range(10, 60)]
    assert len(kept.nodes["n59@host"]["overview"]["closed"]) == 500


def test_a_terminal_with_few_colours_gets_its_own_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLORFGBG", raising=False)
    assert starting_theme(None, None, "truecolor") == "hotdash"
    assert starting_theme(None, "nord", "256") == "nord"
    assert starting_theme(None, "nord", "standard") == TERMINAL_THEME
    assert starting_theme("nord", None, "standard") == "nord"
    assert starting_theme(None, "ansi-light", "standard") == "ansi-light"
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert starting_theme(None, "nord", "standard") == "ansi-light"
    monkeypatch.setenv("COLORFGBG", "15;default;0")
    monkeypatch.setenv("NO_COLOR", "1")
    assert starting_theme(None, "nord", "truecolor") == TERMINAL_THEME


async def test_an_empty_no_color_is_like_none(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    async with opened() as user:
        assert not user.app.no_color


@pytest.mark.parametrize("no_color", [False, True])
async def test_an_armed_dashboard_is_unmistakable_with_few_colours_or_none(
    opened: Open, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    async with opened(read_only=False, settings=Settings(theme=TERMINAL_THEME)) as user:
        await user.sees("ARMED")
        header = user.app.screen._compositor.render_strips()[0]
        styles = [segment.style for segment in header if segment.text.strip()]
        assert all(style is not None for style in styles)
        if no_color:
            assert all(style.reverse and style.bold for style in styles if style is not None)
        else:
            assert {style.bgcolor.number for style in styles if style is not None and style.bgcolor} == {1}  # red
