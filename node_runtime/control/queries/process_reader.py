"""Makes the summary and the row of a process from its attributes, without sending it a message.

This module reads plain attributes only, so its code may also run in the control thread while the event loop is blocked.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import FunctionType
from typing import Any, Final

from node_runtime.behaviours.application_controller import Applications
from node_runtime.behaviours.show.describe import DescribeLimits, describe
from node_runtime.behaviours.upgrade.live_processes import Child, ChildTable, StatemProcess, SupervisorProcess
from node_runtime.code import CodeServer
from node_runtime.processes.process import Process
from node_runtime.processes.redaction.named_secrets import REDACTED
from node_runtime.processes.redaction.secret_names import Secrecy, secrecy_of
from node_runtime.processes.redaction.text_redaction import shown
from node_runtime.processes.runtime import Runtime
from node_runtime.protocol.clip import clip
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import ProcessSummary

shown_name: Final = lru_cache(maxsize=1 << 15)(shown)
"""The displayed form of a name or id. It is cached, because successive answers have mostly the same names and ids."""
MAX_ARGUMENTS_LENGTH: Final = 80
"""The maximum number of characters of the shown arguments of a process."""
MAX_INT_BITS: Final = 128
_ARGUMENT_LIMITS: Final = DescribeLimits(depth=2, parts=4, terms=12)


class ProcessReader:
    """Reads processes of `runtime` and the versions of their modules.

    `refresh` reads the applications and the processes that run old code, which are kept until the next `refresh`.
    """

    def __init__(self, runtime: Runtime, code: CodeServer) -> None:
        self._runtime = runtime
        self._code = code
        self._masters: dict[int, str] = {}
        self._old: dict[str, frozenset[int]] = {}
        self._links: dict[tuple[int, ...], tuple[int, ...]] = {}

    def refresh(self, old: dict[str, frozenset[int]] | None = None) -> None:
        """Read which applications run and, unless `old` is given, which processes run old code."""
        self._links = {}
        running = list(self._runtime.singleton(Applications).running.values())
        self._masters = {int(one.master): escape(one.spec.name) for one in running if one.master is not None}
        if old is None:
            old = {one.name: frozenset(one.old_pids) for one in self._code.loaded_modules() if one.old_pids}
        self._old = old

    def summary(self, process: Process) -> ProcessSummary:
        """Return the summary of a process: all that the node shows of it except its state."""
        return ProcessSummary(**self.fields(process), **self.relations(process))

    def relations(self, process: Process) -> dict[str, Any]:
        """Return the fields of a summary that show the links and monitors of a process.

        Most processes have only a link to their supervisor. All children of a supervisor share one tuple with this
        link: a tuple for each child would be an object that the garbage collector examines.
        """
        links = tuple(int(linked.pid) for linked in process.linked())
        monitors = tuple(int(watched.pid) for watched in list((process.monitors or {}).values()))
        return {"links": self._links.setdefault(links, links) if len(links) == 1 else links, "monitors": monitors}

    def fields(self, process: Process) -> dict[str, Any]:
        """Return the fields of a summary without the links and monitors."""
        child = self.child(process)
        table = table_of(process)
        return {
            "pid": int(process.pid),
            "name": None if process.name is None else shown_name(process.name),
            "kind": process.kind,
            "module": escape(process.module),
            "vsn": self.vsn(process),
            "status": process.status,
            "parent": int(process.parent) or None,
            "started": process.started,
            "mailbox": len(process.mail or ()),
            "messages": process.handled,
            "child_id": None if child is None else shown_name(child.spec.id),
            "application": self.application(process),
            "state_name": state_name(process),
            "callback": escape(process.qualname),
            "restarts": 0 if child is None else child.restarts,
            "strategy": None if table is None else table.flags.strategy,
            "intensity": None if table is None else f"{table.flags.intensity} in {table.flags.period:g} s",
        }

    def child(self, process: Process) -> Child | None:
        """Return the process's entry in its supervisor's table; None if it has no supervisor."""
        parent = self._runtime.processes.get(process.parent)
        table = None if parent is None else table_of(parent)
        return None if table is None else table.by_pid.get(process.pid)

    def arguments(self, process: Process) -> str:
        """Return the arguments with which the supervisor has started the process, redacted and short; "" for none.

        For a process with a label, return its label instead.
        """
        if process.pid in self._runtime.labels:
            return clip(shown(self._runtime.labels[process.pid]), MAX_ARGUMENTS_LENGTH)
        child = self.child(process)
        if child is None:
            return ""
        given = child.spec.args if child.args is None else child.args
        if not given:
            return ""
        names = _parameter_names(child.spec.start)
        texts = (_argument(one, names[n] if n < len(names) else "") for n, one in enumerate(given[:4]))
        return clip(", ".join(texts), MAX_ARGUMENTS_LENGTH)

    def application(self, process: Process) -> str | None:
        """Return the application whose master is the process or one of its ancestors; None if there is none."""
        above: Process | None = process
        while above is not None:
            if above.pid in self._masters:
                return self._masters[above.pid]
            above = self._runtime.processes.get(above.parent)
        return None

    def vsn(self, process: Process) -> str:
        """Return which version of its module the process runs; "" if the module isn't managed by the code server."""
        current, old = self._code.versions(process.module)
        if current is None:
            return ""
        if old is not None and process.pid in self._old.get(process.module, ()):
            return escape(old.vsn)
        return escape(current.vsn)


def table_of(process: Process) -> ChildTable | None:
    """Return a supervisor's state; None for other processes, and before `init` has run."""
    if not isinstance(process, SupervisorProcess):
        return None
    table: ChildTable | None = process.raw_state()
    return table


def state_name(process: Process) -> str | None:
    """Return the state name of a state machine as text, and None for other processes.

    The name may be any value; none of its methods is called.
    """
    if not isinstance(process, StatemProcess):
        return None
    state = process.state_name
    return shown(state) if isinstance(state, str) else describe(state).text or escape(type(state).__name__)


def _argument(value: object, name: str) -> str:
    """Return an argument as short text, redacted if the name of its parameter says that it is a secret."""
    if name and secrecy_of(name) is not Secrecy.OPEN:
        return REDACTED
    if type(value) is int:
        return str(value) if value.bit_length() < MAX_INT_BITS else "a large int"
    term = describe(value, _ARGUMENT_LIMITS)
    return term.text or term.type


def _parameter_names(start: str) -> tuple[str, ...]:
    """Return the names of a start function's parameters; () unless it is a plain function of a loaded module."""
    module, _, name = start.partition(":")
    function = vars(sys.modules[module]).get(name) if module in sys.modules else None
    code = getattr(function, "__code__", None) if isinstance(function, FunctionType) else None
    return () if code is None else code.co_varnames[: code.co_argcount]
