"""Executes the bodies of the new modules in the copy of the node, with a time limit."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import msgspec

from node_runtime.code import AroundBody, Batch, BodyEffects, without_context
from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.rehearsal.bound_addresses import is_in_use
from node_runtime.releases.rehearsal.forked import BODIES, NO_PROCESS, ProgressMarker
from node_runtime.releases.rehearsal.guarded_call import CallVerdict, GuardedCaller, TimeLimitExceeded
from node_runtime.releases.rehearsal.sandbox import NotRehearsable

from .body_opens import BodyOpens

PrepareCode = Callable[[AroundBody], Batch]
"""Compiles and executes the new code in the copy. The argument makes the context in which a body runs."""


class LoadRefusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason why the new code can't be loaded, as a clause, and the kind of failure.

    `raised_in` is the module of the function that has raised the exception of a body; "" if unknown.
    """

    reason: str
    kind: Literal["raised", "address in use", "hung", "died"]
    raised_in: str = ""


class BodyRehearsal:
    """The execution of all bodies of a load.

    Afterwards, `refusal` says why the code can't be loaded, or `unrehearsed` why a copy can't execute it. If both are
    None, the code was executed in `seconds` seconds. `on_body(module)` is called whenever the body of a module begins
    or continues, and with None after the last body. `effects` observes the bodies.
    """

    def __init__(
        self,
        caller: GuardedCaller,
        marker: ProgressMarker,
        limit: float,
        on_body: Callable[[str | None], None],
        effects: BodyEffects | None,
    ) -> None:
        self._around_body: AroundBody = without_context if effects is None else effects.around
        self.refusal: LoadRefusal | None = None
        self.unrehearsed: str | None = None
        self.seconds = 0.0
        self._caller = caller
        self._marker = marker
        self._limit = limit
        self._on_body = on_body
        self._began = 0.0
        self._module: str | None = None
        self._failed: str | None = None
        self._opens = BodyOpens(caller.sandbox, lambda: self._module)

    @property
    def opens(self) -> Mapping[str, Iterable[str]]:
        """Clauses that say what the body of each module has opened, by module."""
        return self._opens.by_module

    def run(self, prepare: PrepareCode) -> Batch | None:
        """Execute the bodies; return None if that fails."""
        verdict, sandbox = CallVerdict(), self._caller.sandbox
        made: list[Batch] = []
        self._marker.enter(BODIES)
        sandbox.runs_bodies = True
        self._began = time.perf_counter()
        self._caller.call(verdict, "its body", lambda: made.extend(self._prepare(prepare)), self._limit)
        sandbox.runs_bodies = False
        self._marker.enter(NO_PROCESS)
        if verdict.outcome == "ok":
            return made[0] if made else None
        reason = f"{self._failed or 'the new code'}: {verdict.message}"
        if verdict.outcome == "unrehearsed":
            self.unrehearsed = reason
        else:
            self.refusal = LoadRefusal(reason, "hung" if verdict.outcome == "hung" else "raised")
        return None

    def repeat(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """Execute the bodies of the replaced versions once more; return the namespace of each that succeeds in time."""
        made: dict[str, dict[str, Any]] = {}

        def execute() -> None:
            with self._opens.replaced():
                made.update(batch.repeat_bodies())

        self._caller.sandbox.runs_bodies = True
        self._caller.call(CallVerdict(), "its body", execute, self._limit)
        self._caller.sandbox.runs_bodies = False
        return made

    def _prepare(self, prepare: PrepareCode) -> Iterator[Batch]:
        try:
            with self._opens.replaced():
                yield prepare(self._around)
        except Refused as refused:
            # The code server wraps every exception of a body, also exceptions that the body's code has not raised.
            if isinstance(refused.__cause__, (TimeLimitExceeded, NotRehearsable, MemoryError)):
                raise refused.__cause__ from None
            kind: Literal["raised", "address in use"] = "address in use" if is_in_use(refused) else "raised"
            self.refusal = LoadRefusal(refused.sentence.rstrip("."), kind, _raised_in(refused.__cause__))

    @contextmanager
    def _around(self, module: str) -> Iterator[None]:
        outer, self._module = self._module, module
        began = time.perf_counter()
        self._on_body(module)
        try:
            with self._around_body(module):
                yield
        except BaseException:
            self._failed = self._failed or module
            raise
        finally:
            late = time.perf_counter() - self._began > self._limit
            if late or self._caller.sandbox.violation is not None:
                self._failed = self._failed or module
            self._module = outer
            if outer is None:
                self.seconds += time.perf_counter() - began
            self._on_body(outer)


def _raised_in(error: BaseException | None) -> str:
    frames = [] if error is None else [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""
