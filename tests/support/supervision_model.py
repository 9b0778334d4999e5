"""A minimal model of a supervision tree: no processes, no messages, no time."""

from __future__ import annotations

from dataclasses import dataclass, field

Log = list[tuple[str, str]]


class Refused(Exception):
    """The error code with which a management call is refused."""


@dataclass(eq=False)
class Leaf:
    """A worker. `faults` has the number of next starts that fail, by id; a later worker may have the same id."""

    id: str
    restart: str
    log: Log
    faults: dict[str, int]
    significant: bool = False
    running: bool = False

    def start(self) -> bool:
        left = self.faults.get(self.id, 0)
        self.running = not left
        self.log.append(("start" if self.running else "fail", self.id))
        self.faults[self.id] = max(0, left - 1)
        return self.running

    def stop(self) -> None:
        if self.running:
            self.log.append(("stop", self.id))
        self.running = False


@dataclass(eq=False)
class Sup:
    """A supervisor. It reports its exit to its own supervisor, `above`."""

    id: str
    restart: str
    strategy: str
    intensity: int
    auto_shutdown: str
    given: list[Leaf | Sup]
    significant: bool = False
    running: bool = False
    above: Sup | None = None
    children: list[Leaf | Sup] = field(default_factory=list)
    restarts: int = 0

    # ------------------------------------------------------------------ as a child

    def start(self) -> bool:
        self.children, self.restarts, self.running = list(self.given), 0, True
        for child in self.given:
            child.running = False
            if isinstance(child, Sup):
                child.above = self
        for child in self.given:
            if not child.start():
                self.stop()
                return False
        return True

    def stop(self) -> None:
        self.running = False
        for child in reversed(self.children):
            child.stop()

    # ------------------------------------------------------------------ what happens to its children

    def ended(self, child: Leaf | Sup, orderly: bool) -> None:
        """Handle the exit of a child."""
        child.running = False
        if child.restart == "permanent" or (child.restart == "transient" and not orderly):
            self._restart(child)
            return
        self._forget_temporary(child)
        others = any(one.significant and one.running for one in self.children)
        if child.significant and (self.auto_shutdown == "any_significant" or not others):
            self._end()

    def _restart(self, child: Leaf | Sup) -> None:
        while True:
            self.restarts += 1
            if self.restarts > self.intensity:
                self._end()
                return
            group = self._group(child)
            if len(group) > 1 or self.strategy != "one_for_one":
                for one in reversed(group):
                    one.stop()
                    self._forget_temporary(one)
            failed = next((one for one in group if one in self.children and not one.start()), None)
            if failed is None:
                return
            child = failed

    def _group(self, child: Leaf | Sup) -> list[Leaf | Sup]:
        if self.strategy == "one_for_one":
            return [child]
        return self.children[self.children.index(child) if self.strategy == "rest_for_one" else 0 :]

    def _forget_temporary(self, child: Leaf | Sup) -> None:
        if child.restart == "temporary" and child in self.children:
            self.children.remove(child)

    def _end(self) -> None:
        self.stop()
        if self.above is not None:
            self.above.ended(self, orderly=True)

    # ------------------------------------------------------------------ what may be asked of it

    def start_child(self, child: Leaf) -> None:
        known = next((one for one in self.children if one.id == child.id), None)
        if known is not None:
            raise Refused("already_started" if known.running else "already_present")
        if not child.start():
            raise Refused("start_failed")
        self.children.append(child)

    def terminate_child(self, id: str) -> None:
        child = self._known(id)
        child.stop()
        self._forget_temporary(child)

    def restart_child(self, id: str) -> None:
        if not self._stopped(id).start():
            raise Refused("start_failed")

    def delete_child(self, id: str) -> None:
        self.children.remove(self._stopped(id))

    def _known(self, id: str) -> Leaf | Sup:
        for child in self.children:
            if child.id == id:
                return child
        raise Refused("not_found")

    def _stopped(self, id: str) -> Leaf | Sup:
        child = self._known(id)
        if child.running:
            raise Refused("running")
        return child

    # ------------------------------------------------------------------ for looking at

    def below(self) -> list[Leaf | Sup]:
        """All running children and their children, in start order."""
        found: list[Leaf | Sup] = []
        for child in self.children:
            if child.running:
                found.append(child)
                found += child.below() if isinstance(child, Sup) else []
        return found
