"""Finds the classes with which processes go on in a newer release, and the reasons why some processes can't go on."""

from __future__ import annotations

import ast

from .behaviour_classes import CallbackCode
from .children import ChildCode
from .release_code import Definition, ReleaseCode
from .release_facts import ReleaseFacts


def class_named(release: ReleaseFacts, absolute: str) -> CallbackCode | None:
    """Return the callback class that a release has under an absolute name; None if there is none.

    The name may also be an import of the class, or another name for it (`Server = Till`).
    """
    definition = _bound(release.code, absolute)
    return None if definition is None else release.classes.get(f"{definition.module.name}.{definition.rest}")


def next_class(older: ReleaseFacts, newer: ReleaseFacts, name: str) -> CallbackCode | None:
    """Return the class with which a process of the older release's class `name` goes on in the newer release.

    Return None if the newer release has no class of this name, or only a class of another behaviour. No code_change
    converts a process to another behaviour.
    """
    old, new = older.classes.get(name), class_named(newer, name)
    return new if old is not None and new is not None and old.kind == new.kind else None


def moved_class(source: ReleaseCode, target: ReleaseCode, name: str) -> Definition | None:
    """Return where `target` defines the class that has the absolute name `name` in `source`; None if it lacks the
    class.

    The class may have moved to another module. It is found if, in one of the releases, one of the two modules imports
    it from the other module. The code server then converts its objects.
    """
    found = _bound(target, name)
    if found is not None and found.statement is not None:
        return found
    short = name.rpartition(".")[2]
    for module, code in target.modules.items():
        former = source.modules.get(module)
        if former is not None and short in former.bindings and source.resolve(former, short) == name:
            here = Definition(code, short)
            if here.statement is not None and short not in code.bindings:
                return here
    return None


def why_restarted(older: ReleaseFacts, newer: ReleaseFacts, old: ChildCode, new: ChildCode) -> str | None:
    """Return a clause that says why the process of a child can't go on after an upgrade; None if it can.

    Both specifications have the same start function. A class or a name that can't be read is no reason.
    """
    if old.registered is not None and new.registered is not None and old.registered != new.registered:
        return f"it is registered as {old.registered} in {older.code.vsn}, and as {new.registered} in {newer.code.vsn}"
    before, after = older.classes.get(old.cls), newer.classes.get(new.cls)
    if before is None or after is None or next_class(older, newer, old.cls) == after:
        return None
    if before.kind != after.kind:
        return f"it is a {before.kind} in {older.code.vsn}, and a {after.kind} in {newer.code.vsn}"
    return f"it runs {before.name} in {older.code.vsn}, and {after.name} in {newer.code.vsn}"


def keeping_remedy(newer: ReleaseFacts, old: ChildCode, new: ChildCode) -> str:
    """Return the line that keeps the process of a child whose class was renamed or moved; "" for any other cause.

    With this line, the former module still has the class under its former name.
    """
    after = newer.classes.get(new.cls)
    module, _, name = old.cls.rpartition(".")
    if after is None or old.registered != new.registered or class_named(newer, old.cls) is not None:
        return ""
    if module not in newer.code.modules:
        return ""
    short = after.node.name
    if after.module.name == module:
        return f"`{name} = {short}` in {module}"
    return f"`from {after.module.name} import {short if name == short else f'{short} as {name}'}` in {module}"


def _bound(release: ReleaseCode, absolute: str) -> Definition | None:
    """Return the definition to which a name leads, through imports and assignments such as `Server = Till`."""
    for _ in range(2):
        found = release.definition(absolute)
        if found is None or not found.rest:
            return None
        found = release.definition(release.resolve(found.module, found.rest))
        if found is None or not isinstance(found.statement, ast.Assign) or not _is_name(found.statement.value):
            return found
        absolute = release.resolve_node(found.module, found.statement.value)
    return found


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)
