"""The rehearsal of the functions that a script applies: calls each one in the copy of the node.

If all earlier instructions were rehearsed, a function that fails here would also fail in the install. If an earlier
instruction could not be rehearsed, a failure proves nothing, so its outcome is "unrehearsed".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from node_runtime.behaviours.code_references import resolve_in_versions
from node_runtime.protocol.messages import RehearsedCall
from node_runtime.releases.planning.conditions import accepts_arguments

from .forked import NO_PROCESS, ProgressMarker
from .guarded_call import CallVerdict, GuardedCaller
from .script_steps import ApplyCall


class ApplyRehearsal:
    """Rehearses the functions of one script. Calls `report` with each outcome other than "ok"."""

    def __init__(self, caller: GuardedCaller, marker: ProgressMarker, report: Callable[[RehearsedCall], None]) -> None:
        self._report = report
        self._caller = caller
        self._marker = marker
        self._first_skipped: int | None = None
        self._undos: list[tuple[ApplyCall, Any]] = []

    def skip(self, step: int) -> None:
        """Record that an instruction is not rehearsed: later functions may depend on the instruction's effect."""
        self._first_skipped = self._first_skipped or step

    def call(self, call: ApplyCall, earlier: Mapping[str, dict[str, Any]]) -> None:
        """Rehearse one function, in the version that its module has at this place in the script.

        `earlier` contains the old namespaces of the modules that the script has not loaded yet.
        """
        try:
            function = resolve_in_versions(call.function, earlier)
            undo = None if call.undo is None else resolve_in_versions(call.undo, earlier)
        except Exception:
            function = None
        if not accepts_arguments(function, call.args):
            self.skip(call.step)  # `planning.conditions` reports a blocker for this
            return
        verdict = self._rehearse(call, function, "it")
        if verdict.outcome != "ok":
            self._report_call(call, verdict)
            self.skip(call.step)
        elif undo is not None:
            self._undos.append((call, undo))

    def undo(self) -> None:
        """Rehearse the undo functions in the order in which a failed install would call them: the last one first."""
        while self._undos:
            call, undo = self._undos.pop()
            verdict = self._rehearse(call, undo, f"its undo {call.undo}")
            if verdict.outcome not in ("ok", "unrehearsed"):
                self._report_call(call, verdict)

    def _rehearse(self, call: ApplyCall, function: Any, what: str) -> CallVerdict:
        verdict = CallVerdict()
        self._marker.enter(-call.step)
        self._caller.call(verdict, what, lambda: self._drive(function(*call.args)))
        self._marker.enter(NO_PROCESS)
        if verdict.outcome != "ok" and self._first_skipped is not None:
            why = f"{verdict.message}; the earlier instruction {self._first_skipped} was not rehearsed"
            verdict.record("unrehearsed", why, verdict.trace)
        return verdict

    def _drive(self, result: Any) -> None:
        """Run the coroutine of an async function. A coroutine that waits for something can't be rehearsed."""
        if not inspect.isawaitable(result):
            return
        if inspect.iscoroutine(result):
            try:
                result.send(None)
            except StopIteration:
                return
            result.close()
        self._caller.sandbox.block("waits for something")

    def _report_call(self, call: ApplyCall, verdict: CallVerdict) -> None:
        self._report(
            RehearsedCall(
                step=call.step,
                function=call.function,
                outcome=verdict.outcome,
                message=verdict.message or "",
                trace=verdict.trace,
            )
        )
