"""Checks the name of a new project, which becomes the name of its application, package, release and node."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from typing import Final

import msgspec

from node_runtime.protocol.clip import clip
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.files.names import RESERVED_PACKAGES, Name, describe
from node_runtime.releases.files.schemas import BUILT_IN_APPLICATIONS

FOLDERS: Final = frozenset({"apps", "config", "deploy", "tests"})
"""The folders in a project's own folder."""


def check_name(name: str) -> None:
    """Raise Refused if no application may have this name, or if a package of this name would hide another package."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        proposal = _proposal(name)
        remedy = f", such as {proposal}" if proposal else ""
        form = describe(Name).partition(": ")[2]
        sentence = f"{clip(name, 80)!r} can't be the name of a project; choose {form}{remedy}."
        raise _refused(sentence) from None
    if problem := _taken(name):
        raise _refused(f"{name} is {problem}; choose another name, such as {name}_service.")


def class_prefix(name: str) -> str:
    """Return the name as the beginning of class names: IceCream for ice_cream."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _proposal(name: str) -> str:
    """Return an allowed name that is similar to this one; "" if there is none."""
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    proposal = re.sub(r"^[0-9_]+", "", words).rstrip("_")[:64]
    return "" if not proposal or _taken(proposal) else proposal


def _taken(name: str) -> str:
    """Return what already has this name; "" if it is free."""
    owners = (
        (keyword.iskeyword(name), "a keyword of Python"),
        (name in sys.stdlib_module_names, "a module of Python's standard library"),
        (name in BUILT_IN_APPLICATIONS, "an application that is built into every node"),
        (name in RESERVED_PACKAGES, "a package of the node itself"),
        (name in FOLDERS, "a folder of the project itself"),
        (importlib.util.find_spec(name) is not None, "a package that is installed here"),
    )
    return next((owner for is_taken, owner in owners if is_taken), "")


def _refused(sentence: str) -> Refused:
    return Refused(sentence, ExitCode.USAGE)
