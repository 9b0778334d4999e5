"""Functions by which operators, upgrades and observers use supervisors. They follow OTP's module `supervisor`.

Where OTP returns an error, these functions raise ChildRefused. Its `reason` is the reason in OTP's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from node_runtime.behaviours.request import send_request, wait_for_reply
from node_runtime.behaviours.starting import start_process
from node_runtime.behaviours.upgrade.deferred_exits import record_supervisor_state
from node_runtime.behaviours.upgrade.holding import hold
from node_runtime.processes.errors import Exit
from node_runtime.processes.pid import Pid, Target
from node_runtime.processes.process import HELD, YIELDING, MailItem
from node_runtime.processes.runtime import runtime
from node_runtime.processes.transaction import Transaction, current_transaction

from .child_spec import ChildSpec, ChildType
from .child_table import Child, ChildTable, Flags
from .supervisor import ChildRefused, Supervisor, SupervisorProcess


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """The present state of a child. `pid` is None unless the status is "running"; `restarts` counts its restarts.

    All instances of a simple_one_for_one supervisor have the same id: that of the only specification. Follows the
    return value of supervisor:which_children/1 of OTP.
    """

    id: str
    pid: Pid | None
    status: Literal["running", "restarting", "undefined"]
    type: ChildType
    modules: tuple[str, ...]
    restarts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of children: `specs`, live processes (`active`), and `supervisors` and `workers`, including dead ones.

    Follows the return value of supervisor:count_children/1 of OTP.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


async def start_link(cls: type[Supervisor], *args: Any, name: str | None = None, **kwargs: Any) -> Pid:
    """Start a supervisor, linked to the calling process, and start its children. Return the supervisor's pid.

    There is no time limit. If a child fails to start, the children before it are stopped, and then Exit is raised. Exit
    is also raised if the class has invalid flags or child specifications. Also raises NameTaken, Ignore if the callback
    `children()` raised it, and TypeError for a class that is not a Supervisor. Follows supervisor:start_link/3.
    """
    return await start_process(SupervisorProcess, cls, args, kwargs, name=name, link=True)


async def start_child(supervisor: Target, spec: ChildSpec | Sequence[Any]) -> Pid | None:
    """Add a child and start it. Returns its pid, or None if its start function raised Ignore.

    A child that fails to start is not added. For a simple_one_for_one supervisor, pass a list of further arguments for
    the new instance; they follow the arguments in the specification. Like all requests to supervisors, this call has no
    time limit.

    Raises ChildRefused with the `reason` already_started, already_present, start_failed or bad_spec. already_started
    means that the child runs, or that another process has the name that the child registers. Raises NoProcess,
    Deadlock, and Exit if the supervisor ends first or the process is not a supervisor. Follows
    supervisor:start_child/2.
    """
    pid: Pid | None = await _request(supervisor, "start_child", spec)
    return pid


async def terminate_child(supervisor: Target, id: str | Pid) -> None:
    """Stop a child, or cancel its restart. Its specification is kept, unless the child is temporary.

    Returns when the child has ended. For a simple_one_for_one supervisor, `id` is the pid of an
    instance. The supervisor forgets the instance; if it has ended already, nothing happens. Raises
    ChildRefused with the `reason` not_found or simple_one_for_one, and other errors like
    `start_child`. Follows supervisor:terminate_child/2.
    """
    await _request(supervisor, "terminate_child", id)


async def restart_child(supervisor: Target, id: str) -> Pid | None:
    """Start a child that doesn't run. Returns its pid, or None if its start function raised Ignore.

    Raises ChildRefused with the `reason` not_found, running, restarting, simple_one_for_one, already_started or
    start_failed, and other errors like `start_child`. Follows supervisor:restart_child/2.
    """
    pid: Pid | None = await _request(supervisor, "restart_child", id)
    return pid


async def delete_child(supervisor: Target, id: str) -> None:
    """Delete the specification of a child that doesn't run.

    Raises ChildRefused with the `reason` not_found, running, restarting or simple_one_for_one, and other errors like
    `start_child`. Follows supervisor:delete_child/2.
    """
    await _request(supervisor, "delete_child", id)


def which_children(supervisor: Target) -> list[ChildStatus]:
    """Return the children in start order. Sends no message, so it works while the supervisor is busy or suspended, too.

    Raises NoProcess, and Exit if the process is not a supervisor. Follows supervisor:which_children/1, except for the
    order, which is the opposite in OTP.
    """
    return [_status(child) for child in _children(table_of(supervisor))]


def count_children(supervisor: Target) -> Counts:
    """Return the numbers of children; raises like `which_children`. Follows supervisor:count_children/1."""
    table, node = table_of(supervisor), runtime()
    children = _children(table)
    supervisors = sum(child.spec.is_supervisor for child in children)
    active = sum(child.pid in node.processes for child in children if child.pid is not None)
    specs = len(children) if table.template is None else 1
    return Counts(specs, active, supervisors, len(children) - supervisors)


def get_childspec(supervisor: Target, id: str | Pid) -> ChildSpec:
    """Return the specification of a child. For a simple_one_for_one supervisor, `id` is the pid of an instance.

    The specification of a temporary child has no arguments, because they aren't kept. Raises ChildRefused with the
    `reason` not_found, and other errors like `which_children`. Follows supervisor:get_childspec/2.
    """
    table = table_of(supervisor)
    if table.template is not None and id == table.template.id:
        return table.template
    child = table.find(id) if isinstance(id, str) or table.template is not None else None
    if child is None:
        key = repr(id) if isinstance(id, str) else str(id)
        raise ChildRefused("not_found", f"{_find(supervisor).title()} has no child {key}")
    return child.spec


def flags(supervisor: Target) -> Flags:
    """Return the present flags of the supervisor. Raises NoProcess, and Exit if the process is not a supervisor.

    OTP: `sup_flags()`, as supervisor:init/1 returned them.
    """
    return table_of(supervisor).flags


def table_of(supervisor: Target) -> ChildTable:
    """Return a supervisor's live state, for reading only; an empty table if `init` has not made it yet.

    Raises NoProcess, and Exit if the process is not a supervisor.
    """
    table = _find(supervisor).raw_state()
    return table if table is not None else ChildTable(Flags("one_for_one", 0, 1.0), (), {})


def _children(table: ChildTable) -> list[Child]:
    return list((table.children if table.template is None else table.by_pid).values())


def _status(child: Child) -> ChildStatus:
    status: Literal["running", "restarting", "undefined"] = "undefined"
    if child.restarting:
        status = "restarting"
    elif child.pid is not None:
        status = "running"
    return ChildStatus(child.spec.id, child.pid, status, child.spec.type, child.spec.modules, child.restarts)


def _find(supervisor: Target) -> SupervisorProcess:
    process = runtime().find(supervisor)
    if not isinstance(process, SupervisorProcess):
        raise Exit("badcall", f"{process.title()} is not a supervisor")
    return process


async def _request(supervisor: Target, request: str, argument: Any) -> Any:
    node = runtime()
    process = _find(supervisor)
    item: MailItem = (request, (argument,), {}, node.loop.create_future())
    inside = current_transaction()
    if inside is not None:
        await _prepared(inside, process, argument)
        process.serve(item, YIELDING)
        outcome = await wait_for_reply(node, process, item, None)
    else:
        outcome = await send_request(node, process, item, None)
    if isinstance(outcome, ChildRefused):
        raise outcome
    return outcome


async def _prepared(inside: Transaction, process: SupervisorProcess, argument: Any) -> None:
    """Hold a supervisor before an upgrade's script changes it, and record its state so that this can be undone."""
    if process.run_state is not HELD or inside.owner not in (process.suspend_owners or ()):
        await hold(process.pid, owner=inside.owner, timeout=inside.seconds)
        inside.held.append(process.pid)
    if process.pid not in inside.saved_supervisors:
        record_supervisor_state(inside, process)
        process.take_state(process.raw_state().copied())
    if isinstance(argument, str | int):
        process.raw_state().separate(argument)
