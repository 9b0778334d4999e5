"""The remedies that a plan's words name, as deeds: whole commands, options of the upgrade, and verbs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .node import Node

LOOKING: Final = frozenset(
    {"audit", "connect", "demo", "events", "modules", "nodes", "plan", "ps", "releases", "results", "state", "status"}
)
ELSEWHERE: Final = frozenset({"stage", "rollback", "downgrade", "remove", "tree"})
"""Verbs that lead to no newer version."""
QUOTED: Final = re.compile(r"(?<!\w)[`\u2018\u201c'\"]([^`\u2019\u201d'\"]+)[`\u2019\u201d'\"]")
"""The text between straight or curly quotation marks, or backticks."""
RESTART: Final = re.compile(r"restart\w*( of)? (the|this|its|your) node|node.{0,20} restart")


@dataclass(frozen=True, slots=True)
class Remedies:
    """The deeds for a node that should run `vsn`. `process` and `module` fill a usage's capital words."""

    node: Node
    vsn: str
    process: str | None
    module: str
    usages: dict[str, str] = field(default_factory=dict)

    def deeds(self, said: str, tries: str) -> Iterator[Callable[[], object]]:
        """The deeds that the words of `said` name, then those of the verbs in `tries`."""
        if commands := list(self._quoted_commands(said)):
            yield lambda: [self.node.command(*command) for command in commands]
        for option in dict.fromkeys(re.findall(r"--[a-z][a-z-]+", said)):
            usage = re.search(rf"{option}( [A-Z]+)?\s", self._usage("upgrade"))
            if usage and option not in ("--yes", "--output", "--reason"):
                values = ("10",) if usage[1] else ()
                yield partial(self.node.upgrade, self.vsn, option, *values)
        for verb in dict.fromkeys(re.findall(r"(?<![\w-])[a-z]+(?![\w-])", f"{said} {tries}")):
            if verb in self._verbs():
                yield partial(self._do, verb)
        if RESTART.search(said):
            yield self._restart

    def _quoted_commands(self, said: str) -> Iterator[list[object]]:
        filled = self._words()
        for quoted in QUOTED.findall(said):
            program, *rest = quoted.split() or [""]
            arguments = [filled.get(word.strip("[]").partition("|")[0], word) for word in rest]
            if program == "hotdash" and arguments:
                yield [self.node.programs / program, *arguments, *self._yes(arguments[0], arguments)]
            elif program == "node-runtime":
                yield [self.node.programs / program, *arguments]
            elif program.endswith(("bin/k", "bin/<name>")):
                yield [self.node.directory / "bin" / "k", *arguments]

    def _usage(self, verb: str) -> str:
        if verb not in self.usages:
            self.usages[verb] = self.node.usage(verb)
        return self.usages[verb]

    def _verbs(self) -> list[str]:
        listed = self._usage("").partition("Commands:")[2]
        return [verb for verb in re.findall(r"^  ([a-z]+)", listed, re.MULTILINE) if verb not in LOOKING | ELSEWHERE]

    def _words(self) -> dict[str, str]:
        target = str((self.process and self.node.pid(self.process)) or self.process or "")
        known = {"NODE": self.node.name, "VSN": self.vsn, "PID": target, "NAME": target, "MODULE": self.module}
        tarball, directory = str(self.node.tarball(self.vsn)), str(self.node.directory)
        return {**known, "SECONDS": "10", "TARBALL": tarball, "DIR": directory}

    def _restart(self) -> None:
        self._do("commit")
        self.node.script("restart")

    def _do(self, verb: str) -> None:
        """Call a verb with what its usage asks for."""
        usage = re.search(rf"Usage: hotdash {verb}(.*)", self._usage(verb))
        asked = re.findall(r"\[?([A-Z]+)(?:\|[A-Z]+)*\]?", usage[1].replace("[OPTIONS]", "") if usage else "NODE")
        filled = self._words()
        self.node.hotdash(verb, *(filled.get(word, "") for word in asked), *self._yes(verb, ()))

    def _yes(self, verb: str, given: object) -> list[str]:
        return ["--yes"] if "--yes" in self._usage(verb) and "--yes" not in str(given) else []
