"""The supervisors of a release, their children, and the names under which they are registered."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .behaviour_classes import CallbackCode, callback_classes
from .constants import UNKNOWN, ConstantScope, RecordCall, bound_items, bound_value
from .module_code import ModuleCode
from .release_code import ReleaseCode

LISTENER_START = "node_runtime.web.listener:start_asgi_link"
"""The start function of a child made by `web.asgi_child`."""
_FLAGS = ("strategy", "intensity", "period", "auto_shutdown", "back_off")


class ChildCode(msgspec.Struct, frozen=True):
    """A child specification. `start` is "module:function", or "" if it can't be read; `path` and `line` are its place.

    `modules` are the modules whose code the child runs. `text` is equal for equal specifications. `cls` is the absolute
    name of the callback class that the start function starts, and `registered` is the name under which it registers the
    process. If these can't be read, `cls` is "" and `registered` is None.
    """

    id: str
    start: str
    modules: tuple[str, ...]
    path: str
    line: int
    text: str
    cls: str = ""
    registered: str | None = None

    @property
    def module(self) -> str:
        """The module of the child's start function."""
        return self.start.partition(":")[0]


class SupervisorCode(msgspec.Struct, frozen=True):
    """A supervisor class. `names` are the registered names of its processes.

    If `is_complete` is False, there may be other children, whose specifications depend on values that only a node has.
    If `has_template` is True, the children are instances of one specification, and only application code starts them.
    `is_named` is True if `names` has the names of all processes.
    """

    cls: CallbackCode
    names: frozenset[str]
    is_named: bool
    children: Mapping[str, ChildCode]
    is_complete: bool
    has_template: bool
    flags: str
    source: str
    """The text of `children()`."""

    @property
    def name(self) -> str:
        """The registered name of the supervisor's process, for messages.

        If no name or several names are known, this is the name of the class.
        """
        return next(iter(self.names)) if len(self.names) == 1 else self.cls.name


def supervisors(release: ReleaseCode) -> dict[str, SupervisorCode]:
    """Return the supervisors of a release by the absolute names of their classes."""
    classes = {name: cls for name, cls in callback_classes(release).items() if cls.kind == "supervisor"}
    names, unknown = _registered_names(release)
    started = started_processes(release)
    return {
        name: _supervisor(release, cls, frozenset(names.get(name, ())), name not in unknown, started)
        for name, cls in classes.items()
    }


class StartedProcess(msgspec.Struct, frozen=True):
    """The callback class that a start function starts, and the registered name of the process.

    The name is None if it can't be read.
    """

    cls: str
    registered: str | None


def started_processes(release: ReleaseCode) -> dict[str, StartedProcess]:
    """Return the class and the name of the process that each start function, such as "shop.till.start_link", starts."""
    found: dict[str, StartedProcess] = {}
    for module in release.modules.values():
        for function in module.tree.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in start_calls(release, module, function):
                    cls, name = release.resolve_node(module, call.args[0]), _registered_name(release, module, call)
                    found[f"{module.name}.{function.name}"] = StartedProcess(cls, name)
    return found


def start_calls(release: ReleaseCode, module: ModuleCode, tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that start a process of a callback class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            absolute = release.resolve_node(module, node.func)
            if release.is_runtime(absolute, "start_link", "start") and absolute.count(".") >= 2:
                yield node


def _registered_names(release: ReleaseCode) -> tuple[dict[str, set[str]], set[str]]:
    """Return the registered names of each class's processes, and the classes for which not all names are known."""
    names: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for module in release.modules.values():
        for call in start_calls(release, module, module.tree):
            cls = release.resolve_node(module, call.args[0])
            value = _registered_name(release, module, call)
            if value is not None:
                names.setdefault(cls, set()).add(value)
            else:
                unknown.add(cls)
    return names, unknown


def _registered_name(release: ReleaseCode, module: ModuleCode, call: ast.Call) -> str | None:
    """Return the name under which a start call registers its process; None if no name can be read."""
    given = next((word.value for word in call.keywords if word.arg == "name"), None)
    value = ConstantScope(release, module).value(given) if given is not None else None
    return value if isinstance(value, str) else None


def _supervisor(
    release: ReleaseCode,
    cls: CallbackCode,
    names: frozenset[str],
    is_named: bool,
    started: Mapping[str, StartedProcess],
) -> SupervisorCode:
    flags = {
        flag: ast.dump(value)
        for module, node in reversed(cls.lineage)
        for statement in node.body
        for flag in _FLAGS
        if (value := bound_value(statement, flag)) is not None
    }
    found = cls.method("children")
    values = _returned(release, found) if found else []
    records = values if isinstance(values, list) else _mentioned(release, found)
    children = {}
    for record in records:
        child = _child(release, record, started)
        if child is not None:
            children[child.id] = child
    is_complete = isinstance(values, list) and len(children) == len(values)
    template = "simple_one_for_one" in flags.get("strategy", "")
    source = ast.dump(found[2]) if found else ""
    return SupervisorCode(cls, names, is_named and bool(names), children, is_complete, template, repr(flags), source)


def _child(release: ReleaseCode, record: Any, started: Mapping[str, StartedProcess]) -> ChildCode | None:
    if isinstance(record, RecordCall) and record.kind == "asgi_child":
        name = record.argument(0, "name")
        text = repr((record.args, sorted(record.keywords.items())))
        return ChildCode(name, LISTENER_START, (), record.path, record.line, text) if isinstance(name, str) else None
    if not (isinstance(record, RecordCall) and record.kind == "ChildSpec"):
        return None
    id, start = record.argument(0, "id"), record.argument(1, "start")
    if not isinstance(id, str):
        return None
    start = start if isinstance(start, str) else ""
    modules = record.argument(6, "modules", ())
    named = tuple(name for name in modules if isinstance(name, str)) if isinstance(modules, tuple | list) else ()
    process = started.get(_followed(release, start), StartedProcess("", None))
    cls = process.cls.rpartition(".")[0]
    runs = tuple(dict.fromkeys((*named, start.partition(":")[0], *([cls] if cls else ()))))
    text = repr((record.args, sorted(record.keywords.items())))
    return ChildCode(id, start, runs, record.path, record.line, text, process.cls, process.registered)


def _followed(release: ReleaseCode, start: str) -> str:
    """Return the absolute name of a start function in the module that defines it."""
    absolute = start.replace(":", ".")
    found = release.definition(absolute) if start else None
    return release.resolve(found.module, found.rest) if found is not None and found.rest else absolute


def _returned(
    release: ReleaseCode, method: tuple[ModuleCode, ast.ClassDef, ast.FunctionDef | ast.AsyncFunctionDef]
) -> Any:
    """Return the list that a method without arguments returns; UNKNOWN if that can't be known."""
    module, cls, function = method
    scope = ConstantScope(release, module, cls=cls)
    try:
        returned = _run(scope, function.body)
    except (ValueError, TypeError):
        return UNKNOWN
    return list(returned) if isinstance(returned, tuple | list) else UNKNOWN


def _run(scope: ConstantScope, body: list[ast.stmt]) -> Any:
    """Carry out simple statements; return what they return. Raises ValueError for any other statement."""
    for statement in body:
        match statement:
            case ast.Return(value=value):
                return scope.value(value)
            case ast.For(target=target, iter=items, body=inner, orelse=[]):
                for names in bound_items(target, scope.value(items)):
                    scope.names.update(names)
                    _run(scope, inner)
            case ast.If(test=test, body=then, orelse=otherwise):
                is_true = scope.value(test)
                if not isinstance(is_true, bool):
                    raise ValueError
                if (returned := _run(scope, then if is_true else otherwise)) is not None:
                    return returned
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                _assign(scope, statement)
    return None


def _assign(scope: ConstantScope, statement: ast.stmt) -> None:
    """Carry out an assignment to a name, or an extension of a list. Raises ValueError for any other statement."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
        ):
            scope.names[name] = scope.value(value)
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            scope.names[name] = [*scope.names[name], *scope.value(value)]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[value])):
            more = scope.value(value)
            if method not in ("append", "extend") or not isinstance(scope.names.get(name), list):
                raise ValueError
            scope.names[name] = [*scope.names[name], *([more] if method == "append" else more)]
        case _:
            raise ValueError


def _mentioned(
    release: ReleaseCode, method: tuple[ModuleCode, ast.ClassDef, ast.FunctionDef | ast.AsyncFunctionDef] | None
) -> list[Any]:
    """Return the results of all calls in a method. Some of the results are child specifications."""
    if method is None:
        return []
    module, cls, function = method
    scope = ConstantScope(release, module, cls=cls)
    return [scope.value(node) for node in ast.walk(function) if isinstance(node, ast.Call)]
