"""The functions that a script applies, tried in the copy of the node as far as they go without one.

One that fails where all before it was rehearsed would fail in the install, too. After something that was not, for it
wants the node, nobody knows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from node_runtime.behaviours.starting import resolve_in
from node_runtime.protocol.messages import RehearsedCall
from node_runtime.releases.planning.conditions import takes

from .forked import NOBODY, Place
from .guarded_call import Trial, Verdict
from .script_steps import Call


class Applied:
    """The functions of one script; `tell` is told of those that do not go well.

    `earlier`: the namespaces of modules that have switched, but that the script has not reached yet.
    """

    def __init__(self, trial: Trial, place: Place, tell: Callable[[RehearsedCall], None]) -> None:
        self._say = tell
        self._trial = trial
        self._place = place
        self._missing: int | None = None
        self._undos: list[tuple[Call, Any]] = []

    def skip(self, step: int) -> None:
        """An instruction that is not carried out here; what comes after it may need it."""
        self._missing = self._missing or step

    def call(self, call: Call, earlier: Mapping[str, dict[str, Any]]) -> None:
        """Try one function, as the script has it at its place."""
        try:
            function = resolve_in(call.function, earlier)
            undo = None if call.undo is None else resolve_in(call.undo, earlier)
        except Exception:
            function = None
        if not takes(function, call.args):
            self.skip(call.step)  # conditions.py says what is wrong
            return
        verdict = self._tried(call, function, "it")
        if verdict.outcome != "ok":
            self._tell(call, call.function, verdict)
            self.skip(call.step)
        elif undo is not None:
            self._undos.append((call, undo))

    def undo(self) -> None:
        """Try to take everything back, as a failed install would."""
        while self._undos:
            call, undo = self._undos.pop()
            verdict = self._tried(call, undo, f"its undo {call.undo}")
            if verdict.outcome not in ("ok", "unrehearsed"):
                self._tell(call, call.function, verdict)

    def _tried(self, call: Call, function: Any, what: str) -> Verdict:
        verdict = Verdict()
        self._place.enter(-call.step)
        self._trial.run(verdict, what, lambda: self._driven(function(*call.args)))
        self._place.enter(NOBODY)
        if verdict.outcome != "ok" and self._missing is not None:
            why = f"{verdict.message}; instruction {self._missing}, which comes before, was not rehearsed"
            verdict.went("unrehearsed", why, verdict.trace)
        return verdict

    def _driven(self, result: Any) -> None:
        """An async function is carried out as far as it gets without waiting for anything."""
        if not inspect.isawaitable(result):
            return
        if inspect.iscoroutine(result):
            try:
                result.send(None)
            except StopIteration:
                return
            result.close()
        self._trial.fence.bar("waits for something")

    def _tell(self, call: Call, function: str, verdict: Verdict) -> None:
        self._say(
            RehearsedCall(
                step=call.step,
                function=function,
                outcome=verdict.outcome,
                message=verdict.message or "",
                trace=verdict.trace,
            )
        )
