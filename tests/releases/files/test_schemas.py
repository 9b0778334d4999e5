"""Errors in a project's files: one sentence that names file and place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.config import read_configuration
from node_runtime.releases.files.schemas import NodeConfig, read_app, read_appup, read_environment, read_release
from node_runtime.releases.files.toml_reading.toml_file import read_toml
from node_runtime.releases.files.toml_reading.toml_positions import line_of
from tests.support.hypothesis_profiles import UNHURRIED


def written(tmp_path: Path, text: str, name: str = "file.toml") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def sentence_about(path: Path, kind: type) -> str:
    with pytest.raises(Refused) as refused:
        read_toml(path, kind)
    assert str(path) in refused.value.sentence
    return refused.value.sentence


def test_an_application_is_read_with_its_defaults(tmp_path: Path) -> None:
    app = read_app(written(tmp_path, 'name = "fil"\nvsn = "1986.a"\n[env]\nhttp_port = 8004\n'))
    assert (app.name, app.vsn, app.mod, app.applications, app.env) == ("fil", "1986.a", None, (), {"http_port": 8004})


def test_a_release_has_the_start_type_of_each_application(tmp_path: Path) -> None:
    release = read_release(
        written(tmp_path, 'name = "r"\nvsn = "1"\napps = ["a", { name = "b", start = "transient" }]\n')
    )
    assert release.starts == {"a": "permanent", "b": "transient"}


def test_an_appup_has_its_ways_in_order_with_versions_and_patterns(tmp_path: Path) -> None:
    appup = read_appup(
        written(
            tmp_path,
            """
            vsn = "2.0"
            [[up]]
            from = "1.0*"
            instructions = [{ load_module = "a.b" }]
            [[down]]
            to = "1.0"
            instructions = []
            """,
        )
    )
    assert appup.up[0].matches("1.0.7")
    assert not appup.up[0].matches("1.1")
    assert len(appup.up[0].instructions) == 1
    assert appup.down[0].matches("1.0")


@pytest.mark.parametrize("text", ["vsn = ", "= 3", 'vsn = "1"\nvsn = "2"', "[a"])
def test_invalid_toml_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    assert "not valid TOML" in sentence_about(written(tmp_path, text), NodeConfig)


def test_a_missing_key_an_unknown_key_and_a_wrong_type_are_named(tmp_path: Path) -> None:
    assert "`name` is missing" in sentence_about(written(tmp_path, ""), NodeConfig)
    assert "unknown key `nmae`" in sentence_about(written(tmp_path, 'nmae = "a@b"\nname = "a@b"'), NodeConfig)
    wrong = sentence_about(written(tmp_path, 'name = "a@b"\n[probation]\ndeadline = "long"'), NodeConfig)
    assert 'line 3: probation.deadline must be a number of at least 0, not "long".' in wrong
    wrong = sentence_about(written(tmp_path, 'name = "a@b"\nrehearsal = 0'), NodeConfig)
    assert 'line 2: rehearsal must be a number above 0 or "off", not 0.' in wrong
    assert "written name@host" in sentence_about(written(tmp_path, 'name = "a"'), NodeConfig)


def test_an_instruction_that_does_not_exist_is_named_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, 'vsn = "2"\n[[up]]\nfrom = "1"\ninstructions = [{ load_modul = "a" }]\n')
    with pytest.raises(Refused, match=r"line 4: .*load_modul"):
        read_appup(path)


LAID_OUT = (
    """
# a comment with [brackets] and = signs
a = 1
b.c = [ # one
  "x # no comment", 'y ] z',
  [1,
   2],
]
"d e" = { f = 1, g.h = 2 }
text = '''
[not.a.table]
k = 1
'''
when = 1979-05-27 07:32:00
[t]
u = """
    + '"""'
    + """
x = 1 \\"
"""
    + '"""'
    + """
[[t.v]]
w = 1
[t.v.s]
r = 0
[[t.v]]
w = 2
[t.v.s]
r = 1
[[t.v.q]]
p = [{ o = 1 }, { o = 2 },
  { n = 3 }]
"""
)


def test_each_invalid_value_is_reported_with_its_line() -> None:
    lines = {
        3: ("a",),
        4: ("b", "c"),
        5: ("b", "c", 1),
        6: ("b", "c", 2, 0),
        7: ("b", "c", 2, 1),
        9: ("d e", "g", "h"),
        10: ("text",),
        14: ("when",),
        15: ("t",),
        16: ("t", "u"),
        19: ("t", "v", 0),
        20: ("t", "v", 0, "w"),
        22: ("t", "v", 0, "s", "r"),
        24: ("t", "v", 1, "w"),
        26: ("t", "v", 1, "s", "r"),
        28: ("t", "v", 1, "q", 0, "p", 1, "o"),
        29: ("t", "v", 1, "q", 0, "p", 2, "n"),
    }
    value: Any
    for line, place in lines.items():
        assert line_of(LAID_OUT, place) == line
        value = tomllib.loads(LAID_OUT)
        for part in place:
            value = value[part]
    assert line_of(LAID_OUT, ("t", "v", 1, "missing")) == 23


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="line 1: password must be a table, not") as refused:
        read_environment(written(tmp_path, 'password = "hunter2"'))
    assert "hunter2" not in refused.value.sentence


@pytest.mark.parametrize("text", ['cookie = "fil123"', '[deep]\ncookie = "fil123"', '[[a]]\ncookie = "fil123"'])
def test_a_cookie_in_a_file_is_refused_with_the_command_that_makes_one(tmp_path: Path, text: str) -> None:
    sentence = sentence_about(written(tmp_path, text), NodeConfig)
    assert "bin/<name> cookie" in sentence
    assert "fil123" not in sentence


@pytest.mark.parametrize("vsn", ["1986.a", "0.2.0-rc.1+b7", "1", "v2", "a" * 64])
def test_common_version_formats_are_accepted(tmp_path: Path, vsn: str) -> None:
    assert read_app(written(tmp_path, f'name = "a"\nvsn = "{vsn}"')).vsn == vsn


@UNHURRIED
@given(vsn=st.text(max_size=70).filter(lambda text: not all(c.isascii() and (c.isalnum() or c in "+-.") for c in text)))
def test_a_version_that_is_more_than_a_name_is_refused(tmp_path_factory: pytest.TempPathFactory, vsn: str) -> None:
    quoted = "".join(f"\\U{ord(c):08X}" for c in vsn if not 0xD800 <= ord(c) < 0xE000)
    path = written(tmp_path_factory.getbasetemp(), f'name = "a"\nvsn = "{quoted}"')
    with pytest.raises(Refused):
        read_app(path)


@pytest.mark.parametrize("vsn", ["../x", ".5", "$(rm)", "1 2", "1\\n", "", "a" * 65, "ü"])
def test_a_version_that_could_lead_elsewhere_is_refused(tmp_path: Path, vsn: str) -> None:
    with pytest.raises(Refused, match="line 2: vsn must be a version"):
        read_app(written(tmp_path, f'name = "a"\nvsn = "{vsn}"'))


def test_the_owners_configuration_wins_key_by_key(tmp_path: Path) -> None:
    written(tmp_path, 'name = "a@h"\nheart = 5', "releases/1/node.toml")
    written(tmp_path, "[a]\nport = 1\nhost = 'x'\n[b]\nc = 1", "releases/1/sys.toml")
    written(tmp_path, "heart = 9", "etc/node.toml")
    written(tmp_path, "[a]\nport = 2", "etc/sys.toml")
    configuration = read_configuration(tmp_path, "1")
    assert (configuration.node.name, configuration.node.heart) == ("a@h", 9.0)
    assert configuration.environment == {"a": {"port": 2, "host": "x"}, "b": {"c": 1}}


def test_a_configuration_that_does_not_parse_is_a_refusal_and_never_a_default(tmp_path: Path) -> None:
    written(tmp_path, 'name = "a@h"', "releases/1/node.toml")
    written(tmp_path, "[a\nport = 2", "etc/sys.toml")
    with pytest.raises(Refused, match=r"etc/sys\.toml, line 1: this is not valid TOML"):
        read_configuration(tmp_path, "1")
