"""The classes of the objects in a server's state, and whether they are the same in two releases.

Applies the code server's rules for reused classes: a class has changed if its definition, or anything that its
functions read, has changed. A class that can't be compared counts as changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from hashlib import sha256

from .behaviour_classes import CallbackCode
from .module_code import ModuleCode, dotted_text
from .release_code import Definition, ReleaseCode

_ENUM = re.compile(r"enum\.\w*(Enum|Flag)")


def state_annotation(release: ReleaseCode, cls: CallbackCode) -> str:
    """Return the declared type of the state, as text with absolute names; "" if none is declared."""
    for module, _, node in _declared(release, cls):
        return _absolute_text(release, module, node)
    return ""


def held_classes(release: ReleaseCode, cls: CallbackCode) -> dict[str, Definition]:
    """Return the release's own classes that the objects in a state have, by absolute name.

    These are the classes in the declared type of the state, and the classes that `init` and `connected` call. The bases
    of these classes and the classes of their fields are returned, too.
    """
    found: dict[str, Definition] = {}
    pending = [(module, part) for module, _, part in _declared(release, cls)]
    for method in filter(None, (cls.method("init"), cls.method("connected"))):
        module, _, function = method
        pending += [(module, call.func) for call in ast.walk(function) if isinstance(call, ast.Call)]
    while pending:
        module, node = pending.pop()
        for absolute, definition in _mentioned_classes(release, module, node):
            if absolute not in found:
                found[absolute] = definition
                pending += [(definition.module, part) for part in _parts(definition)]
    return found


def field_names(release: ReleaseCode, definition: Definition) -> set[str]:
    """Return the names of the annotated fields of a class. Fields of base classes count if the release defines the
    base.

    The fields of an enum are its members.
    """
    statement = definition.statement
    if not isinstance(statement, ast.ClassDef):
        return set()
    is_enum = any(_ENUM.fullmatch(release.resolve_node(definition.module, base)) for base in statement.bases)
    names = {name for part in statement.body if isinstance(part, ast.AnnAssign) or is_enum for name in _fields(part)}
    for base in statement.bases:
        absolute = release.resolve_node(definition.module, base)
        found = release.definition(absolute) if absolute else None
        if found is not None and found != definition:
            names |= field_names(release, found)
    return names


def _fields(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement in the body of a class annotates or assigns."""
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
    yield from (target.id for target in targets if isinstance(target, ast.Name) and not target.id.startswith("__"))


def class_text(release: ReleaseCode, definition: Definition) -> str:
    """Return a text that is equal in two releases if the class, and everything that its functions read, is equal."""
    return "\n".join(_texts(release, definition, set()))


def code_change_text(cls: CallbackCode) -> str:
    """Return the text of the class's code_change; "" if the release defines none."""
    found = cls.method("code_change")
    if found is None:
        return ""
    _, _, function = found
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]  # the docstring
    return "\n".join(map(ast.dump, (function.args, *body)))


def _declared(release: ReleaseCode, cls: CallbackCode) -> Iterator[tuple[ModuleCode, ast.ClassDef, ast.expr]]:
    """Yield the declared type of the state: the type argument of the base class, else the type that `init` returns."""
    for module, node in cls.lineage:
        for base in node.bases:
            if isinstance(base, ast.Subscript) and release.is_runtime(
                release.resolve_node(module, base.value), "GenServer", "GenStatem", "WebSocketHandler"
            ):
                yield module, node, base.slice
                return
    if (method := cls.method("init")) is not None and method[2].returns is not None:
        yield method[0], method[1], method[2].returns


def _mentioned_classes(release: ReleaseCode, module: ModuleCode, node: ast.expr) -> Iterator[tuple[str, Definition]]:
    """Yield the classes and aliases of the release that an annotation names."""
    for part in _annotation_parts(node):
        absolute = release.resolve_node(module, part)
        definition = release.definition(absolute) if absolute else None
        if definition is not None and "." not in definition.rest and _is_class(definition.statement):
            yield f"{definition.module.name}.{definition.rest}", definition


def _is_class(statement: ast.stmt | None) -> bool:
    """Return whether a statement defines a class or an alias of types, and not a function."""
    return isinstance(statement, ast.ClassDef | ast.Assign | ast.AnnAssign) or (
        statement is not None and statement.__class__.__name__ == "TypeAlias"
    )


def _annotation_parts(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the dotted names in an annotation, also those inside of strings."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Attribute):
            yield part
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            try:
                yield from _annotation_parts(ast.parse(part.value, mode="eval").body)
            except SyntaxError:
                continue


def _parts(definition: Definition) -> list[ast.expr]:
    """Return the expressions that name the bases of a class and the classes of its fields."""
    statement = definition.statement
    if isinstance(statement, ast.ClassDef):
        fields = [part.annotation for part in statement.body if isinstance(part, ast.AnnAssign)]
        values = [part.value for part in statement.body if isinstance(part, ast.AnnAssign) and part.value is not None]
        return [*statement.bases, *fields, *values]
    value = getattr(statement, "value", None)
    return [value] if isinstance(value, ast.expr) else []


def _absolute_text(release: ReleaseCode, module: ModuleCode, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _absolute_text(release, module, ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return node.value
    text = ast.unparse(node)
    names = {dotted_text(part) for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)}
    known = sorted(name for name in names if name)
    return f"{text} {[release.resolve(module, name) for name in known]}"


def _texts(release: ReleaseCode, definition: Definition, seen: set[str]) -> Iterator[str]:
    """Yield the text of a definition, and the texts of the definitions that it reads."""
    statement, module = definition.statement, definition.module
    name = f"{module.name}.{definition.rest}"
    if statement is None or name in seen:
        return
    seen.add(name)
    yield ast.dump(statement)
    annotations = {id(part) for node in ast.walk(statement) for part in _annotation_nodes(node)}
    for node in ast.walk(statement):
        if not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store) or id(node) in annotations:
            continue
        read = module.definitions.get(node.id)
        if read is statement or node.id == definition.rest:
            continue
        if read is not None and node.id not in module.bindings:
            if read.lineno > statement.lineno:  # the code server can't compare a definition that follows the class
                yield _whole(module)
            else:
                yield from _texts(release, Definition(module, node.id), seen)
        elif (other := release.definition(release.resolve(module, node.id))) is not None:
            if isinstance(other.statement, ast.ClassDef):
                yield from _texts(release, Definition(other.module, other.rest.partition(".")[0]), seen)
            elif other.statement is not None:
                yield _whole(other.module)


def _annotation_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the syntax nodes in the annotations of `node`: running code doesn't read the names in annotations."""
    annotations = (getattr(node, "annotation", None), getattr(node, "returns", None))
    for annotation in annotations:
        if isinstance(annotation, ast.AST):
            yield from ast.walk(annotation)


def _whole(module: ModuleCode) -> str:
    return f"{module.name} {sha256(ast.dump(module.tree).encode()).hexdigest()}"
