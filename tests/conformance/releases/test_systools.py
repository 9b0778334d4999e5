"""OTP's systools_SUITE: the contents of a relup, and the relups that cannot be built. Numbers 11 to 18 of the list.

Of restart_relup only the appup's own restarts are here: there is no emulator with a version. For other third-party
code the plan says that the node must be restarted.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from node_runtime.releases.files.release_model import ReleaseView
from node_runtime.releases.relup.relup_json import relup_json
from node_runtime.releases.relup.translation import NoPath, make_relup, translate
from tests.support.nodes.fil_node import command, environment
from tests.support.projects.relup_cases import SOFT, after, app, load, translated, update
from tests.support.projects.tiny_project import write_project

WAY = """
vsn = "2.0"
[[up]]
from = "1.0"
instructions = [UP]
[[down]]
to = "1.0"
instructions = [UP]
"""
RELOAD = '{ load_module = "tiny.server" }'


def release(vsn: str, *apps: Any) -> ReleaseView:
    return ReleaseView(vsn, apps)


def two_projects(folder: Path, appup: str) -> tuple[Path, Path]:
    """tiny in two versions that differ in one module."""
    older = write_project(folder / "1.0")
    server = (older / "apps/tiny/src/tiny/server.py").read_text()
    changes = {"apps/tiny/src/tiny/server.py": f"{server}\nx = 1\n", "apps/tiny/appup.toml": appup}
    return older, write_project(folder / "2.0", "2.0", changes)


def words(older: Path, newer: Path) -> tuple[object, ...]:
    return "relup", "--from", older, "--to", newer, "--json"


# ---------------------------------------------------------------- normal_relup


def test_normal_relup_is_printed_and_no_file_is_written(tmp_path: Path) -> None:
    older, newer = two_projects(tmp_path, WAY.replace("UP", RELOAD))
    before = sorted(tmp_path.rglob("*"))
    done = command("node-runtime", *words(older, newer), env=environment(tmp_path))
    assert json.loads(done.stdout) == relup_json(make_relup(read_project(older).view(), read_project(newer).view()))
    assert sorted(tmp_path.rglob("*")) == before


def test_normal_relup_that_cannot_be_made_prints_nothing(tmp_path: Path) -> None:
    older, newer = two_projects(tmp_path, WAY.replace("UP", ""))
    assert command("node-runtime", *words(older, newer), env=environment(tmp_path), code=1).stdout == ""


# ---------------------------------------------------------------- restart_relup


@pytest.mark.parametrize(
    ("said", "up", "down"),
    [
        (
            "restart_new_emulator",
            ["restart_new_emulator", "point_of_no_return"],
            ["point_of_no_return", "restart_emulator"],
        ),
        ("restart_emulator", ["point_of_no_return", "restart_emulator"], ["point_of_no_return", "restart_emulator"]),
    ],
)
def test_restart_relup_of_two_applications_restarts_once(said: str, up: list[str], down: list[str]) -> None:
    way = [("1", [{said: True}])]
    older = release("R1", app("a", "1", ""), app("b", "1", ""))
    newer = release("R2", app("a", "2", "", way, way), app("b", "2", "", way, way))
    both = relup_json(make_relup(older, newer))
    assert [step[0] for step in both["up"]] == up
    assert [step[0] for step in both["down"]] == ["point_of_no_return", "restart_emulator"]


# ---------------------------------------------------------------- no_appup_relup


def test_no_appup_relup_is_fine_where_the_version_is_the_same() -> None:
    same, db = app("db", "1", "db"), app("fe", "1", "fe")
    way = [("1", [{"load_module": "fe"}])]
    newer = release("R2", same, app("fe", "2", "fe", way, way))
    assert relup_json(make_relup(release("R1", same, db), newer))["up"][-1] == load("fe")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_no_appup_relup_without_an_entry_there_is_no_path(direction: Any) -> None:
    elsewhere = [("0.9", [{"load_module": "fe"}])]
    newer = release("R2", app("fe", "2", "fe", elsewhere, elsewhere))
    with pytest.raises(NoPath, match="the appup of fe 2 has no entry"):
        translate(release("R1", app("fe", "1", "fe")), newer, direction)


# ---------------------------------------------------------------- bad_appup_relup, abnormal_relup


@pytest.mark.parametrize("text", ["vsn = ", "vsn = '2.0'\nup = 3", WAY.replace("UP", "{ reload = 'x' }")])
def test_bad_appup_relup_names_file_and_line(tmp_path: Path, text: str) -> None:
    _, newer = two_projects(tmp_path, text)
    with pytest.raises(Refused, match=rf"{re.escape(str(newer))}.*appup\.toml, line \d+: "):
        read_project(newer)


def test_abnormal_relup_an_appup_of_another_version_is_an_error_here_and_a_warning_there(tmp_path: Path) -> None:
    _, newer = two_projects(tmp_path, WAY.replace("UP", RELOAD).replace('vsn = "2.0"', 'vsn = "2.1"'))
    with pytest.raises(Refused, match=r"line 2: vsn is 2\.1, but this is the appup of tiny 2\.0"):
        read_project(newer)


# ---------------------------------------------------------------- regexp_relup


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        ([("1.*", "update"), ("1.2", "load")], "update"),
        ([("1.2", "load"), ("1.*", "update")], "load"),
        ([("1", "update"), ("1.2", "load")], "load"),
        ([("?", "update"), ("1.2", "load")], "load"),
        ([("2.2", "update"), ("*", "load")], "load"),
        ([(">=1.1, <1.2", "update"), (">=1.2", "load")], "load"),
        ([(">=1, <1.10", "update"), ("1.2", "load")], "update"),
    ],
)
def test_regexp_relup_the_first_entry_that_fits_and_no_prefix(entries: Any, taken: str) -> None:
    steps = {"update": [update("fe")], "load": [{"load_module": "fe"}]}
    ways = [(vsn, steps[kind]) for vsn, kind in entries]
    script = translated(release("R1", app("fe", "1.2", "fe")), release("R2", app("fe", "2", "fe", ways)), "up")
    assert (["suspend", ["fe"]] in script) == (taken == "update")


def test_regexp_relup_a_partial_match_is_no_path() -> None:
    newer = release("R2", app("fe", "2", "fe", [("1", [update("fe")])]))
    with pytest.raises(NoPath):
        translate(release("R1", app("fe", "1.2", "fe")), newer, "up")


# ---------------------------------------------------------------- app_start_type_relup


@pytest.mark.parametrize("start", ["permanent", "transient", "temporary", "load", "none"])
def test_app_start_type_relup(start: Any) -> None:
    older, newer = release("R1", app("fe", "1", "fe")), release("R2", app("mnesia", "1", "mnesia", start=start))
    up = after(translated(older, newer, "up"))
    begun = [step[1:3] for step in up if step[0] == "apply" and "mnesia" in step[2]]
    assert begun == {
        "load": [["node_runtime.application:load", ["mnesia"]]],
        "none": [],
    }.get(start, [["node_runtime.application:start", ["mnesia", start]]])
    down = after(translated(older, newer, "down"))
    ended = [step[1] for step in down if step[0] == "apply" and step[2] == ["mnesia"]]
    assert ended == ["node_runtime.application:stop", "node_runtime.application:unload"]


# ---------------------------------------------------------------- replace_app_relup


@pytest.mark.parametrize("direction", ["up", "down"])
def test_replace_app_relup_the_new_application_starts_before_the_old_one_stops(direction: Any) -> None:
    old, new = app("db", "1", "db"), app("gh", "1", "gh")
    way = [("1", [{"load_module": "fe"}])]
    older = release("R1", old, app("fe", "1", "fe"))
    newer = release("R2", new, app("fe", "2", "fe", way, way))
    come, gone = ("gh", "db") if direction == "up" else ("db", "gh")
    assert after(translated(older, newer, direction)) == [
        load(come),
        ["apply", "node_runtime.application:start", [come, "permanent"], {"undo": None}],
        load("fe"),
        ["apply", "node_runtime.application:stop", [gone], {"undo": None}],
        ["remove", gone, *SOFT],
        ["purge", [gone]],
        ["apply", "node_runtime.application:unload", [gone], {"undo": None}],
    ]


# ---------------------------------------------------------------- otp_3065, duplicate_modules, invalid_system_files

OTHER = 'name = "other"\nvsn = "1"\n'


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param(
            {
                "apps/tiny/app.toml": 'name = "tiny"\nvsn = "1"\napplications = ["other"]',
                "apps/other/app.toml": OTHER + 'applications = ["tiny"]',
            },
            "tiny → other → tiny need each other",
            id="otp_3065_circular_dependenies",
        ),
        pytest.param(
            {"apps/other/app.toml": OTHER, "apps/other/src/tiny/app.py": ""},
            r"Module tiny.app is in two applications",
            id="duplicate_modules_script",
        ),
        pytest.param({}, r"there is no application other: apps/other/app.toml is missing", id="undefined application"),
        pytest.param(
            {"apps/other/app.toml": OTHER, "apps/tiny/appup.toml": "up = ["},
            r"appup.toml, line 1: this is not valid TOML",
            id="invalid_system_files_tar relup",
        ),
        pytest.param(
            {"apps/other/app.toml": OTHER, "config/sys.toml": "tiny = 3"},
            r"sys.toml, line 1: tiny must be a table, not 3",
            id="invalid_system_files_tar sys.config",
        ),
    ],
)
def test_relups_that_cannot_be_built(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    project = write_project(
        tmp_path, changes={"release.toml": 'name = "tiny"\nvsn = "1"\napps = ["tiny", "other"]', **files}
    )
    with pytest.raises(Refused, match=sentence):
        read_project(project)
