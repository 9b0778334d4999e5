"""Writes docs/reference.md from the commands and public names of the code. `make reference-page`."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click

from docs.protocol_page import table
from hotdash.cli import hotdash
from node_runtime import Application, GenServer, GenStatem
from node_runtime.cli.commands import node_runtime
from node_runtime.protocol.exit_codes import ExitCode

PAGE = Path(__file__).parent / "reference.md"
PUBLIC_MODULES = (
    ("node_runtime.public_names", "node_runtime", "processes, behaviours, calls and messages"),
    *(
        (f"node_runtime.{name}", f"node_runtime.{name}", about)
        for name, about in (
            ("gen_server", "start, call and end a `GenServer`"),
            ("gen_statem", "start, call and end a `GenStatem`"),
            ("supervisor", "start supervisors, and change their children"),
            ("application", "start and stop applications, and read their environments"),
            ("sys", "suspend, inspect and trace processes"),
            ("web", "HTTP listeners, routes and websockets: [web](layers/web.md)"),
            ("testing", "tests of services: [testing](testing.md)"),
        )
    ),
)
"""The modules that applications import: the module with the names, the name to import, and the content."""
CALLBACKS = {
    "node_runtime.gen_server": GenServer,
    "node_runtime.gen_statem": GenStatem,
    "node_runtime.application": Application,
}
"""The classes of which the page also lists the methods that applications define."""

HEAD = """# Reference

All commands with their options, the exit codes, the files with the configuration, and the public names. This page is
generated from the code by `make reference-page`, and a test compares the two.

- `bin/<name>`, the command of a node directory: [commands-node.md](commands-node.md#binname-run-a-node).
- The keys of app.toml, release.toml, sys.toml, node.toml and appup.toml: [formats.md](formats.md).
- The methods and messages between a node and its clients: [protocol.md](protocol.md).
- What the commands do, with examples: [commands.md](commands.md) and [commands-node.md](commands-node.md).

## Exit codes

All commands have these exit codes; [protocol.md](protocol.md#failures) says when a request gets each of them.

"""


def page() -> str:
    """Return the page."""
    codes = table(("code", "name"), ((str(code.value), f"`{code.name}`") for code in ExitCode))
    parts = [f"{HEAD}{codes}", "## The command node-runtime\n", *_commands("node-runtime", node_runtime)]
    parts += ["## The command hotdash\n", *_commands("hotdash", hotdash), "## Public names\n", *_public_names()]
    return "\n".join(parts)


def _commands(path: str, command: click.Command) -> Iterator[str]:
    """Yield the text about each command without commands below it."""
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _commands(f"{path} {name}", below)
        return
    metavars = [part.make_metavar(context) for part in command.params if isinstance(part, click.Argument)]
    help = (command.help or "").partition("\n\n")[0]
    records = [part.get_help_record(context) for part in command.params if isinstance(part, click.Option)]
    rows = [(f"`{record[0]}`", record[1]) for record in records if record is not None]
    sentences = textwrap.fill(" ".join(help.split()), 120, break_long_words=False, break_on_hyphens=False)
    yield f"### {path}\n\n`{' '.join([path, *metavars])}`\n\n{sentences}\n"
    if rows:
        yield table(("option", "effect"), rows)


def _public_names() -> Iterator[str]:
    for module, imported, about in PUBLIC_MODULES:
        names = import_module(module)
        public = getattr(names, "__all__", None) or [name for name in vars(names) if not name.startswith("_")]
        yield f"### {imported}\n\n{about[:1].upper()}{about[1:]}.\n"
        yield table(("name", "meaning"), ((f"`{name}`", _meaning(names, name)) for name in public))
        if imported in CALLBACKS:
            yield from _callbacks(CALLBACKS[imported])


def _callbacks(cls: type) -> Iterator[str]:
    """Yield the text about a class that applications inherit from: its docstring, and its callbacks."""
    yield f"#### The callbacks of {cls.__name__}\n"
    for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), 120, break_long_words=False, break_on_hyphens=False) + "\n"
    own = [name for name in vars(cls) if not name.startswith("_") and inspect.isroutine(getattr(cls, name))]
    texts = {name: inspect.getdoc(getattr(cls, name)) or "" for name in own}
    yield table(("callback", "meaning"), ((f"`{name}`", text.partition("\n\n")[0]) for name, text in texts.items()))


def _meaning(names: ModuleType, name: str) -> str:
    """Return the first paragraph of a docstring: that of a class or function, or the text below an assignment.

    Names of other packages, which node_runtime only passes on, are called theirs.
    """
    named = getattr(names, name)
    if (inspect.isclass(named) or inspect.isroutine(named)) and named.__name__ == name:
        package = named.__module__.partition(".")[0]
        text = (named.__doc__ or "") if package == "node_runtime" else f"{package.capitalize()}'s `{name}`."
    else:
        text = next(filter(None, (_text_below(module, name) for module in _modules_with(name, named))), "")
    return inspect.cleandoc(text).partition("\n\n")[0]


def _modules_with(name: str, named: object) -> Iterator[ModuleType]:
    for path, module in list(sys.modules.items()):
        if path.startswith("node_runtime.") and vars(module).get(name) is named:
            yield module


def _text_below(module: ModuleType, name: str) -> str:
    """Return the text below the assignment of `name`; "" if the module only imports `name`, or has no such text."""
    for assignment, below in pairwise(ast.parse(inspect.getsource(module)).body):
        match assignment, below:
            case (
                ast.AnnAssign(target=ast.Name(id=assigned)) | ast.Assign(targets=[ast.Name(id=assigned)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if assigned == name:
                return text
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
