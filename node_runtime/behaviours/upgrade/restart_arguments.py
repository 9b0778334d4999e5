"""The arguments with which a supervisor restarts its children. An upgrade reads and replaces them during the switch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from node_runtime.behaviours.supervision.child_spec import ChildSpec
from node_runtime.behaviours.supervision.child_table import Child, ChildTable
from node_runtime.behaviours.supervision.plain_arguments import are_plain
from node_runtime.behaviours.supervision.supervisor import SupervisorProcess

Arguments = tuple[Any, ...]


class RestartArguments:
    """The arguments in the table of one supervisor.

    `values` has four parts: the positional arguments of `children()`, the keyword arguments of `children()`, the
    arguments of the template of a simple_one_for_one supervisor, and a pair for each child. The pair has the arguments
    in the child's specification and, for an instance, the arguments of the instance. Processes are held while the
    arguments are read. To save time, children with only plain arguments (see `plain_arguments`) are left out.
    """

    __slots__ = ("_changes", "_children", "_table", "process", "values")

    def __init__(self, process: SupervisorProcess) -> None:
        self.process = process
        table: ChildTable = process.raw_state()
        self._table = table
        self._children = _children_to_convert(table)
        self._changes: list[tuple[ChildTable | Child, str, Any, Any]] = []
        template = () if table.template is None else table.template.args
        self.values = (table.args, table.kwargs, template, [(child.spec.args, child.args) for child in self._children])

    def replace(self, values: tuple[Arguments, dict[str, Any], Arguments, list[tuple[Arguments, Any]]]) -> None:
        """Replace the arguments by `values`, which correspond to the old arguments one by one. Can't fail.

        No code of the node may have run between the reading of the old arguments and this call.
        """
        table = self._table
        args, kwargs, template_args, of_children = values
        specs: dict[int, ChildSpec] = {}
        self._set(table, "args", args)
        self._set(table, "kwargs", kwargs)
        if table.template is not None:
            self._set(table, "template", _with_args(table.template, template_args, specs))
        for child, (spec_args, own_args) in zip(self._children, of_children, strict=True):
            self._set(child, "spec", _with_args(child.spec, spec_args, specs))
            self._set(child, "args", own_args)

    def put_back(self) -> None:
        """Undo `replace`. Arguments that other code has replaced since then are not changed."""
        for owner, name, before, after in reversed(self._changes):
            if getattr(owner, name) is after:
                setattr(owner, name, before)
        self._changes = []

    def _set(self, owner: ChildTable | Child, name: str, value: Any) -> None:
        before = getattr(owner, name)
        if before is not value:
            self._changes.append((owner, name, before, value))
            setattr(owner, name, value)


def _children_to_convert(table: ChildTable) -> list[Child]:
    """Return the children whose arguments are not all plain, each child once."""
    if table.template is not None and not table.has_objects and are_plain(table.template.args):
        return []
    every = {id(child): child for child in (*table.children.values(), *table.by_pid.values())}.values()
    return [one for one in every if not (are_plain(one.args) and are_plain(one.spec.args))]


def _with_args(spec: ChildSpec, args: Arguments, made: dict[int, ChildSpec]) -> ChildSpec:
    """Return a copy of `spec` with the arguments `args`. Children that share `spec` get the same copy."""
    if spec.args is args:
        return spec
    if id(spec) not in made:
        made[id(spec)] = replace(spec, args=args)
    return made[id(spec)]
