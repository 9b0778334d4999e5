"""The questions that several checks ask: whether a plan names something, and whether a version can be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from .plan_text import mentions, statements
from .remedies import Remedies

if TYPE_CHECKING:
    from .node import Node


class Judgement:
    """The part of `Node` that judges."""

    def says(self, plan: dict[str, Any], *patterns: str, process: str | None = None) -> bool:
        """Returns whether a statement of the plan matches all patterns, and names the process, if any."""
        pid = self._node.pid(process) if process is not None else None
        return mentions(plan, patterns, process, pid)

    def ends(
        self, vsn: str, process: str | None = None, module: str = "k.box", tries: str = "", told: str = ""
    ) -> str | None:
        """Go to `vsn`, if need be by what its plan names. Returns None, or why it can't be reached.

        `tries` are verbs for the process that are tried in any case; `told` are the words of an earlier plan.
        """
        node = self._node
        plan = node.plan(vsn)
        said = statements(plan)
        why = "; ".join(blocker["reason"] for blocker in plan["blockers"])
        if not plan["blockers"]:
            done = node.upgrade(vsn)
            if done.rc == 0:
                return None
            why, said = done.last, [*said, done.err]
        for deed in Remedies(node, vsn, process, module).deeds(" ".join([*said, told]), tries):
            deed()
            if not node.until(lambda: node.vsn, within=20):
                node.script("start")
            if node.vsn == vsn:
                return None
            free = node.until(lambda: not node.plan(vsn)["blockers"], within=5)
            if free and node.upgrade(vsn).rc == 0:
                return None
        return why

    def holds(
        self, vsn: str, shown: str, what: str, *, process: str, module: str, then: str, pattern: str | None = None
    ) -> None:
        """Judge an upgrade to `vsn`, which replaces the definition of something that a process holds.

        Right is a plan that names the process and `what` (by `pattern`), or a page that shows `shown` afterwards, with
        `then` in reach.
        """
        node = self._node
        plan = node.plan(vsn)
        if self.says(plan, pattern or what, process=process):
            return
        names = f"{process} and {what}"
        assert not plan["blockers"], f"{vsn} is refused, and no blocker names {names}: {plan['blockers'][0]['reason']}"
        node.go(vsn)
        found = node.probe().strip().splitlines()[-1]
        assert found == shown, f"no blocker or warning of {vsn} names {names}, and then the page shows {found}"
        why = self.ends(then, process=process, module=module)
        assert why is None, f"the plan of {vsn} has warned of nothing, and after {vsn} {then} can't be reached: {why}"

    def goes_on(
        self,
        vsn: str,
        what: str,
        *,
        named: Callable[[dict[str, Any]], bool],
        renewed: Callable[[], Any],
        process: str,
        module: str,
        then: str,
        meanwhile: Callable[[], Any] = bool,
    ) -> None:
        """Judge an upgrade to `vsn` during which something goes on in old code.

        Right is a plan that names it (`named`) or new code in its place (`renewed`), and verbs that end it, so that
        `then` can be reached. `meanwhile` is checked after the upgrade, if it was not refused.
        """
        node = self._node
        plan = node.plan(vsn)
        told, refused = named(plan), bool(plan["blockers"])
        if refused:
            assert told, f"{vsn} is refused, and no blocker names {what}: {plan['blockers'][0]['reason']}"
        why = self.ends(vsn, process=process, module=module, tries="restart kill")
        assert why is None, f"{vsn} can't be reached: {why}"
        if not refused:
            meanwhile()
            silent = f"after the upgrade {what} goes on in old code, and the plan of {vsn} doesn't name it"
            assert told or renewed(), silent
        words = " ".join(statements(plan))
        why = self.ends(then, process=process, module=module, tries="restart kill", told=words)
        assert why is None, f"no verb ends {what} in the oldest code, so {then} can't be reached: {why}"

    @property
    def _node(self) -> Node:
        return cast("Node", self)
