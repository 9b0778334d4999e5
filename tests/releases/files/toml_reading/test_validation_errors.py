"""Errors in a project: reported with file, line, and the expected value."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import read_project
from tests.support.projects.tiny_project import write_project

APP, RELEASE, NODE = "apps/tiny/app.toml", "release.toml", "config/node.toml"
APPUP, SERVER = "apps/tiny/appup.toml", "apps/tiny/src/tiny/server.py"
TINY = 'name = "tiny"\nvsn = "1.0"\n'
NAMED = 'name = "tiny@127.0.0.1"\n'


def way(instruction: str) -> str:
    steps = f'  {{ load_module = "tiny.app" }},\n  {{ {instruction} }},\n'
    return f'vsn = "1.0"\n[[up]]\nfrom = "0.9"\ninstructions = [\n{steps}]'


MISTAKES = {
    (APP, TINY + 'mod = "tiny.nothing:App"'): "line 3: tiny has no module tiny.nothing; correct the name.",
    (APP, TINY + '[templates]\nsource = "../.."\npackage = "tiny"'): (
        "line 4: ../.. is not a folder in the folder of the application."
    ),
    (RELEASE, TINY + 'apps = [\n  "tiny",\n  { name = "tiny", start = "load" },\n]'): (
        "line 5: tiny is listed twice; remove one."
    ),
    (RELEASE, TINY + 'apps = ["tiny", "web"]'): (
        "line 3: web is built into every node: list it only in the app.toml of the applications that need it."
    ),
    (RELEASE, TINY + 'apps = [\n  "tiny",\n  "other",\n]'): (
        "line 5: there is no application other: apps/other/app.toml is missing."
    ),
    (NODE, NAMED + "code_change = inf"): (
        "line 2: code_change must be a number above 0 and at most 100,000,000, not Infinity."
    ),
    (NODE, NAMED + "[probation]\nerrors = 1.5"): (
        "line 3: probation.errors must be a whole number of at least 0, not 1.5."
    ),
    (NODE, NAMED + 'listen = "127.0.0.1:65536"'): (
        'line 2: listen must be an address, written host:port, with a port up to 65535, not "127.0.0.1:65536".'
    ),
    (APP, TINY + f"[env]\nx = {'[' * 400}{']' * 400}"): (
        "line 3: tables and arrays must not be nested more than 50 deep."
    ),
    (APPUP, way('update = "tiny.server", timeout = nan')): (
        'line 6: { update = "tiny.server", timeout = NaN }: timeout must be a number of seconds above 0 or "infinity", '
        "not NaN."
    ),
    (APPUP, way('update = "tiny.server", extra = 1')): (
        'line 6: { update = "tiny.server", extra = 1 }: '
        'extra needs change = "advanced", because only code_change receives it.'
    ),
    (APPUP, way('apply = "tiny.server:f", args = [{ since = 1979-05-27 }]')): (
        'line 6: { apply = "tiny.server:f", args = [{"since": "1979-05-27"}] }: args contains the date 1979-05-27, '
        "which a relup can't contain; write it as a string."
    ),
    (APPUP, way('apply = "tiny server:f"')): (
        'line 6: { apply = "tiny server:f" }: apply must be a "module:function" string, not "tiny server:f".'
    ),
    (APPUP, way('apply = "tiny.server:f", undo = 3')): (
        'line 6: { apply = "tiny.server:f", undo = 3 }: undo must be a "module:function" string, not 3.'
    ),
    (APPUP, way("point_of_no_return = true }, { point_of_no_return = true")): (
        "line 6: an entry may have only one point_of_no_return; remove this one."
    ),
    (SERVER, 'x = "\0"'): "line 1: source code string cannot contain null bytes.",
}  # fmt: skip


@pytest.mark.parametrize(("file", "text"), MISTAKES)
def test_an_error_names_file_and_line(tmp_path: Path, file: str, text: str) -> None:
    folder = write_project(tmp_path, changes={"config/sys.toml": None, file: text})
    with pytest.raises(Refused) as refused:
        read_project(folder)
    assert refused.value.sentence == f"{folder / file}, {MISTAKES[file, text]}"


def test_excessive_nesting_is_refused(tmp_path: Path) -> None:
    folder = write_project(tmp_path, changes={"config/sys.toml": f"[tiny]\nx = {'[' * 9000}{']' * 9000}"})
    with pytest.raises(Refused, match="nested more than 50 deep"):
        read_project(folder)


@pytest.mark.parametrize("module", ["json", "node_runtime/more", "hotdash"])
def test_no_application_has_a_module_of_python_or_of_the_node(tmp_path: Path, module: str) -> None:
    folder = write_project(tmp_path, changes={f"apps/tiny/src/{module}.py": ""})
    with pytest.raises(Refused, match="is the name of a module of Python or of the node; rename "):
        read_project(folder)
