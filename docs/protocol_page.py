"""Writes docs/protocol.md from the types, tables and constants of node_runtime.protocol. `make protocol-page`.

This file contains only the sentences that no type can say. Everything else on the page comes from the code.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args, get_origin

import msgspec

from node_runtime.protocol import exit_codes, messages, methods, wire
from node_runtime.protocol.messages import WireStruct

PAGE = Path(__file__).parent / "protocol.md"

HEAD = """# The protocol of the control plane

The requests, replies and events between a node and its clients. This page is generated from the code by
`make protocol-page`, and a test compares the two; [the layer's page](layers/protocol.md) describes the code itself.

## Transport

- A client connects a ZeroMQ DEALER socket to the node's ROUTER socket over TCP. Both sockets use CURVE, ZeroMQ's
  encryption. The client has the node's public key from its cookie (the line of text with the client's secret key), and
  the node has the public keys of its clients. If the node doesn't have the key of a client, the handshake fails.
- A message is one frame: a struct as a MessagePack map from field names to values. Fields with their default value are
  left out. Both sides refuse a message with an unknown field, a missing field or a value of another type.
- Units: times are Unix seconds, durations are seconds, sizes are bytes, unless a field says otherwise.
"""

NEGOTIATION = """## Versions

This is version {version} of the protocol. The first request of a client is `hello`, with the version of the protocol
that the client uses. If the node uses another version, it refuses the request, and the refusal names both versions.
Client and node never agree on an older version or on a part of the protocol: an install that the node understands only
in part would do more harm than a refused install. The version grows with each change that the other side would
misread. Each new, removed or changed field is a change of this kind, because both sides refuse unknown fields.
"""

ROLES = """## Roles and budgets

Each client's key has a role. An operator may call every method; a viewer may call the methods with the role viewer.

{budgets}
"""

FAILURES = """## Failures

The answer to a refused request is an `ErrorReply`: it has a sentence for people, and the exit code for the command that
sent the request. A client treats an unknown code as REFUSED. The codes have these meanings:

{codes}
"""


def page() -> str:
    """Return the text of the page."""
    parts = (
        HEAD + "\n" + table(("constant", "value", "meaning"), constants(wire)),
        NEGOTIATION.format(version=methods.PROTOCOL),
        ROLES.format(budgets=body(methods.Method)),
        "## Methods\n\n" + table(("method", "parameters", "result", "role", "cost", "description"), method_rows()),
        *(section(module) for module in message_modules()),
        "## Named values\n\n" + table(("type", "values", "meaning"), literals()),
        FAILURES.format(codes=body(exit_codes.ExitCode) + "\n\n" + table(("code", "name"), exit_code_rows())),
    )
    return "\n".join(part.rstrip() + "\n" for part in parts)


def method_rows() -> Iterator[Sequence[str]]:
    """Yield the row of each method, in the order of the table of methods."""
    for method in methods.METHODS:
        role = f"{method.role}, urgent" if method.urgent else method.role
        yield f"`{method.name}`", link(method.params), link(method.result), role, str(method.cost), method.doc


def link(struct: type[msgspec.Struct]) -> str:
    """Return a link to the section of a struct."""
    return f"[{struct.__name__}](#{struct.__name__.lower()})"


def message_modules() -> list[ModuleType]:
    """Return the modules that define messages: those with the requests first, the others by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(messages.__path__))
    names.sort(key=lambda name: name != "requests")
    return [module for name in names if any(structs(module := import_module(f"{messages.__name__}.{name}")))]


def structs(module: ModuleType) -> Iterator[type[WireStruct]]:
    """Yield the messages that a module defines, in the order of its text."""
    for value in vars(module).values():
        is_struct = inspect.isclass(value) and issubclass(value, WireStruct) and value is not WireStruct
        if is_struct and value.__module__ == module.__name__:
            yield value


def section(module: ModuleType) -> str:
    """Return the section of the messages that a module defines."""
    title = module.__name__.rpartition(".")[2].capitalize()
    parts = [f"## Messages: {title}", body(module), *(struct_section(struct) for struct in structs(module))]
    return "\n\n".join(parts)


def struct_section(struct: type[WireStruct]) -> str:
    """Return the section of one message."""
    rows = [(f"`{name}`", f"`{annotation(struct, name)}`", default(struct, name)) for name in struct.__struct_fields__]
    parts = [f"### {struct.__name__}", body(struct)]
    return "\n\n".join([*parts, table(("field", "type", "default"), rows).rstrip()] if rows else parts)


def annotation(struct: type[WireStruct], field: str) -> str:
    """Return the type of a field as the code writes it."""
    return next(str(own[field]) for each in struct.__mro__ if field in (own := inspect.get_annotations(each)))


def default(struct: type[WireStruct], field: str) -> str:
    """Return the default of a field as the code would write it; "required" if it has none."""
    (found,) = (each for each in msgspec.structs.fields(struct) if each.name == field)
    if found.default is not msgspec.NODEFAULT:
        return f"`{found.default!r}`"
    return "required" if found.default_factory is msgspec.NODEFAULT else f"`{found.default_factory()!r}`"


def literals() -> Iterator[Sequence[str]]:
    """Yield the row of each named set of values in the messages."""
    modules = [import_module(f"{messages.__name__}.{found.name}") for found in pkgutil.iter_modules(messages.__path__)]
    rows = {}
    for module in modules:
        documented = comments(module)
        for name in documented:
            if get_origin(value := getattr(module, name)) is Literal:
                rows[name] = (f"`{name}`", ", ".join(f"`{each}`" for each in get_args(value)), documented[name])
    yield from (rows[name] for name in sorted(rows))


def constants(module: ModuleType) -> Iterator[Sequence[str]]:
    """Yield the row of each public constant of a module that a docstring describes."""
    for name, text in comments(module).items():
        if name.isupper() and not name.startswith("_") and text:
            value = getattr(module, name)
            yield f"`{name}`", f"{value:,}" if isinstance(value, int) else f"`{value!r}`", text


def exit_code_rows() -> Iterator[Sequence[str]]:
    """Yield the row of each exit code."""
    yield from ((str(code.value), f"`{code.name}`") for code in exit_codes.ExitCode)


def comments(module: ModuleType) -> dict[str, str]:
    """Return the docstring below each assignment of a module by the assigned name; "" where there is none."""
    statements = ast.parse(inspect.getsource(module)).body
    found = {}
    for statement, following in zip(statements, [*statements[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name):
            text = following.value if isinstance(following, ast.Expr) else ast.Constant("")
            found[target.id] = inspect.cleandoc(str(text.value)) if isinstance(text, ast.Constant) else ""
    return found


def body(described: object) -> str:
    """Return the docstring of a class or module, names of types and fields as they are in the code."""
    return inspect.getdoc(described) or ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(cell, line))} |\n" for line in lines)


def cell(text: str) -> str:
    """Return a text as a cell of a table: on one line, with its bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
