"""The projects under load: the examples on uvloop and httptools, and a version of each that can't be installed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
FASTER: Final = ("httptools", "uvloop")
LAG_SECONDS: Final = 60.0
"""The event loop may be late by this time without a revert: the responses are measured anyway."""

FAULT: Final = '''
    @classmethod
    def code_change(cls, old_vsn: Any, state: Any, extra: Any) -> Any:
        """Fail in the node itself, but not in a rehearsal, which runs in another OS process."""
        if getpid() == NODE {and_condition}:
            raise ValueError("this one can't be migrated")
        return state
'''
FAULT_IMPORTS: Final = """
from os import getpid
from typing import Any

NODE = getpid()
"""
APPUP: Final = """
vsn = "{vsn}"
[[up]]
from = "{good}"
instructions = [ {instructions} ]
[[down]]
to = "{good}"
instructions = [ {instructions} ]
"""


@dataclass(frozen=True)
class Fault:
    """A version that can't be installed: `code_change` of the last class of a module fails after the switch.

    `vsn` is made of `good`, whose processes it would migrate. `new_text` replaces a text in a module, so that an answer
    by this version would be seen.
    """

    vsn: str
    good: str
    module: str
    and_condition: str
    replaced_module: str
    old_text: str
    new_text: str
    instructions: str


@dataclass(frozen=True)
class Example:
    """An example: its older and its newer version, and the faulty one."""

    name: str
    older: str
    newer: str
    fault: Fault


NINE9S: Final = Example(
    "nine9s",
    "0.1.0",
    "0.2.0",
    Fault(
        "0.2.1",
        "0.2.0",
        "state_handler",
        "",
        "default_handler",
        "Hello world 2 !",
        "Hello world 3 !",
        '{ update = "nine9s.state_handler", change = "advanced" }, { load_module = "nine9s.default_handler" }',
    ),
)
HUB: Final = Example(
    "hub",
    "1.0",
    "1.1",
    Fault(
        "1.3",
        "1.1",
        "room",
        'and state.name == "room0"',
        "site",
        '"vsn": "1.1"',
        '"vsn": "1.3"',
        '{ update = "hub.room", change = "advanced" }, { load_module = "hub.site" }',
    ),
)


def write_projects(example: Example, folder: Path) -> list[Path]:
    """Copy all three versions of an example to a folder; return the paths: the older, the newer, the faulty one."""
    good = [_copy(example, vsn, folder / vsn) for vsn in (example.older, example.newer)]
    return [*good, _with_fault(example, _copy(example, example.fault.good, folder / example.fault.vsn))]


def _copy(example: Example, vsn: str, project: Path) -> Path:
    shutil.copytree(EXAMPLES / example.name / vsn, project, ignore=shutil.ignore_patterns("__pycache__"))
    release, node = project / "release.toml", project / "config" / "node.toml"
    lines = release.read_text().splitlines()
    required = [line for line in lines if line.startswith("requirements")]
    libraries = ", ".join(f'"{library}"' for library in FASTER)
    before = required[0].partition("[")[2].rstrip("]") + ", " if required else ""
    kept = [line for line in lines if line not in required]
    release.write_text("\n".join([*kept, f"requirements = [{before}{libraries}]", ""]))
    # On a machine that other programs load, the loop is late, and the node would revert each upgrade.
    node.write_text(node.read_text() + f'loop = "uvloop"\n\n[probation]\nlag = {LAG_SECONDS}\n')
    return project


def _with_fault(example: Example, project: Path) -> Path:
    fault = example.fault
    app = project / "apps" / example.name
    source = app / "src" / example.name
    for file in (project / "release.toml", app / "app.toml"):
        _replace(file, f'vsn = "{fault.good}"', f'vsn = "{fault.vsn}"')
    _replace(source / f"{fault.replaced_module}.py", fault.old_text, fault.new_text)
    module = source / f"{fault.module}.py"
    _replace(module, "from __future__ import annotations\n", f"from __future__ import annotations\n{FAULT_IMPORTS}")
    module.write_text(module.read_text() + FAULT.format(and_condition=fault.and_condition))
    (app / "appup.toml").write_text(
        APPUP.format(vsn=fault.vsn, good=fault.good, instructions=fault.instructions).replace("= [ {", "= [\n  {")
    )
    return project


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if old not in text:
        raise ValueError(f"{file} doesn't contain {old!r} any more; adapt benchmarks/load/projects.py to the example")
    file.write_text(text.replace(old, new))
