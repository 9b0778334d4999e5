"""docs/formats.md: its examples are read, its tables compared with the models, its errors reproduced."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.build.project import Project, read_project
from node_runtime.releases.files.appup_instructions import INSTRUCTION_OPTIONS
from node_runtime.releases.files.schemas import (
    App,
    Appup,
    NodeConfig,
    ProbationSettings,
    Release,
    Templates,
    WebSettings,
)
from node_runtime.releases.files.trust_settings import TrustSettings
from node_runtime.releases.signing.release_keys import ReleaseKeySettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"(?<!-->\n)```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
MISTAKES = re.findall(r"<!-- wrong: (\S+) -->\n```toml\n(.*?)```\n```\n(.*?)\n```", PAGE, re.DOTALL)
MODULES = ("app", "sup", "till", "money")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project made of the page's examples; it is the working directory, so that paths are as on the page."""
    project = tmp_path / "project"
    for path, text in EXAMPLES.items():
        write(project / path, text)
    for module in MODULES:
        write(project / "apps" / "shop" / "src" / "shop" / f"{module}.py", "")
    write(project / "apps" / "shop" / "priv" / "pages" / "root.html", "<p>{{ name }}</p>")
    write(project / "apps" / "tools" / "app.toml", 'name = "tools"\nvsn = "1"\n')
    monkeypatch.chdir(project)
    return project


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_examples_are_one_project(folder: Path) -> None:
    assert set(EXAMPLES) == {
        "apps/shop/app.toml",
        "apps/shop/appup.toml",
        "release.toml",
        "config/sys.toml",
        "config/node.toml",
    }
    project = read_project(folder)
    assert project.release.starts == {"shop": "permanent", "tools": "load"}
    shop = shop_of(project)
    assert "shop.root_page" in shop.modules
    assert shop.appup is not None
    assert [entry.matches("1.7.3") for entry in shop.appup.up] == [True]
    assert [entry.matches("1.4") for entry in shop.appup.down] == [True]


def shop_of(project: Project) -> Any:
    return next(app for app in project.apps if app.app.name == "shop")


def table(text: str, heading: str) -> dict[str, str]:
    """The first table with that heading: first column to last."""
    rows = text.partition(f"| {heading} |")[2].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0].strip("`"): row[-1] for row in cells}


def default(field: Any) -> str:
    """A field's default in the notation of the page."""
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None:
        return "none"
    if isinstance(value, msgspec.Struct):
        return "see below"
    if isinstance(value, str):
        return f'`"{value}"`'
    return "`[]`" if value in ((), []) else f"`{value}`"


@pytest.mark.parametrize(
    ("section", "key", "model"),
    [
        ("## app.toml", "key", App),
        ("`[templates]`", "key of `templates`", Templates),
        ("## release.toml", "key", Release),
        ("## node.toml", "key", NodeConfig),
        ("`[probation]`", "key of `probation`", ProbationSettings),
        ("`[web]`", "key of `web`", WebSettings),
        ("## node.toml", "key of `etc/node.toml` only", TrustSettings),
        ("## Release keys", "setting of a key", ReleaseKeySettings),
    ],
)
def test_a_table_of_keys_agrees_with_the_model(section: str, key: str, model: type) -> None:
    told = table(PAGE[PAGE.index(section) :], f"{key} | what it is | default")
    struct = msgspec.inspect.type_info(model)
    assert isinstance(struct, msgspec.inspect.StructType)
    assert told == {field.encode_name: default(field) for field in struct.fields}


def test_the_keys_of_an_appup_are_those_of_the_page() -> None:
    told = table(PAGE[PAGE.index("## appup.toml") :], "key | what it is | default")
    assert told == {"vsn": "required", "up": "`[]`", "down": "`[]`"}
    assert tuple(told) == Appup.__struct_fields__


def test_the_instructions_have_the_options_that_the_page_names() -> None:
    rows = table(PAGE, "instruction | its options")
    told = {name: tuple(re.findall(r"`(\w+)`", options)) for name, options in rows.items()}
    assert told == INSTRUCTION_OPTIONS


@pytest.mark.parametrize(("path", "text", "sentence"), MISTAKES)
def test_an_error_is_reported_as_on_the_page(folder: Path, path: str, text: str, sentence: str) -> None:
    write(folder / path, text)
    with pytest.raises(Refused) as refused:
        read_project(Path())
    assert refused.value.sentence == sentence


@pytest.mark.parametrize("path", sorted(EXAMPLES))
@pytest.mark.parametrize("example", ["fil/1986.c", "nine9s/0.2.0"])
def test_a_wrong_value_is_named_with_its_own_line(path: str, example: str, tmp_path: Path) -> None:
    """Each value in turn is replaced by an invalid one; the parameters of `env` may be anything."""
    name = path.replace("shop", example.partition("/")[0])
    project = shutil.copytree(ROOT / "examples" / example, tmp_path / "project")
    lines = (project / name).read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        key = line.partition(" = ")[0]
        if line.endswith("[") or not key.isidentifier() or key in ("cycle_time", "http_port"):
            continue
        (project / name).write_text("\n".join([*lines[: number - 1], f"{key} = 1979-05-27", *lines[number:]]))
        with pytest.raises(Refused, match=rf"{re.escape(str(project / name))}, line {number}: \S*{key} must be a"):
            read_project(project)
