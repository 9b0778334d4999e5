"""Compares a command line with what its program accepts, without running it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

import click

from hotdash.cli import hotdash
from node_runtime.cli.audit_command import audit
from node_runtime.cli.commands import node_runtime
from node_runtime.cli.cookie_command import cookie
from node_runtime.cli.launcher.verbs import NO_ARGUMENTS, OPERATED, VERBS
from tests.support.sources import ROOT

GROUPS: Final[dict[str, click.Group]] = {"hotdash": hotdash, "node-runtime": node_runtime}
TEMPLATE: Final = ROOT / "node_runtime/cli/new_project/template/common/Makefile.in"
SAME_IN_HOTDASH: Final = {
    **dict.fromkeys((*OPERATED, "upgrade", "downgrade"), ""),
    "unpack": "stage",
    "versions": "releases",
    "attach": "connect",
}
"""The verbs of bin/<name> that are those of hotdash, each with its name there, or "" if it is the same."""
EXTRA: Final = re.compile(r"hotdash\[([\w,]+)\]")


def misuse(words: list[str], *, whole: bool) -> str:
    """What a program would refuse of its command line, or "".

    Unless the line is `whole`, arguments may be missing, and only the verb and the options are compared.
    """
    program, *arguments = words
    name = Path(program).name
    if name in GROUPS:
        return _misuse_of_group(GROUPS[name], arguments, whole=whole)
    if "bin/" in program and name not in {"python", "pip"}:
        return _misuse_of_release(arguments, whole=whole)
    if program == "cookie":
        return _misuse_of_release(words, whole=whole)
    if name == "make":
        return next((f"no Makefile has {one}" for one in arguments if one not in _targets() and "=" not in one), "")
    if name in {"python", "python3"} and arguments[:1] == ["-m"] and len(arguments) > 1:
        return "" if importlib.util.find_spec(arguments[1]) else f"there is no module {arguments[1]}"
    return _unknown_extra(arguments) if name == "pip" else ""


def _misuse_of_group(group: click.Group, arguments: list[str], *, whole: bool) -> str:
    context = click.Context(group, info_name=group.name)
    command: click.Command = group
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        inner = command.get_command(context, arguments[0])
        if inner is None:
            return f"there is no verb {arguments[0]}"
        command, arguments = inner, arguments[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    if not whole:
        known = {option for parameter in command.get_params(context) for option in parameter.opts}
        return _unknown_option(arguments, known)
    try:
        _, rest, _ = command.make_parser(context).parse_args(list(arguments))
    except click.UsageError as error:
        return error.format_message()
    required = [one for one in command.params if isinstance(one, click.Argument) and one.required]
    given = [one for one in arguments if not one.startswith("-")]
    return f"unexpected {rest}" if rest else "an argument is missing" if len(given) < len(required) else ""


def _misuse_of_release(arguments: list[str], *, whole: bool) -> str:
    if not arguments:
        return ""
    verb, *rest = arguments
    if verb not in VERBS:
        return f"bin/<name> has no verb {verb}"
    if verb in NO_ARGUMENTS:
        return f"{verb} takes no arguments" if rest else ""
    if verb in SAME_IN_HOTDASH:
        return _misuse_of_group(hotdash, [SAME_IN_HOTDASH[verb] or verb, "NODE", *rest], whole=whole)
    return _unknown_option(rest, _local_options(verb)) if verb in {"cookie", "audit"} else ""


def _unknown_option(words: list[str], known: set[str]) -> str:
    found = {option.partition("=")[0] for word in words for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", word)}
    return f"there is no option {', '.join(sorted(found - known))}" if found - known else ""


@cache
def _local_options(verb: str) -> set[str]:
    """The options that the help of a verb of bin/<name> lists."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        (cookie if verb == "cookie" else audit)(ROOT, ["--help"])
    return set(re.findall(r"--[a-z][a-z-]*", printed.getvalue()))


@cache
def _targets() -> set[str]:
    """The targets of the Makefile, and of that of a project that `node-runtime new` makes."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "Makefile", TEMPLATE))
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def _unknown_extra(words: list[str]) -> str:
    known = set(metadata("hotdash").get_all("Provides-Extra") or [])
    named = {extra for word in words for extras in EXTRA.findall(word) for extra in extras.split(",")}
    return f"hotdash has no extra {', '.join(sorted(named - known))}" if named - known else ""
