"""The node of a case in private folders, with everything that a check may do to it and ask of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from node_runtime.protocol.exit_codes import Refused
from tests.support.nodes.built_once import directory_once
from tests.support.nodes.fil_node import environment

from .answers import Answer, Page, get_page, run_command, run_hotdash
from .judgement import Judgement
from .projects import make_directory, place_release, requirements, write_case_project

NAME: Final = "k@127.0.0.1"


class CannotBuild(Exception):
    """A version can't be built, because no package index has what it requires."""


class Node(Judgement):
    """One node, with the attributes and methods that checks use. `start` has to come first.

    Releases without third-party code are placed in the node directory before the start. The others are built and
    staged, by pip and a package index.
    """

    name = NAME

    def __init__(self, case: Path, check: ModuleType, folder: Path, programs: Path, ports: tuple[int, int]) -> None:
        self.case, self.check, self.folder, self.programs = case, check, folder, programs
        self.port, self.port2 = ports
        self.directory, self.data = folder / "node", folder / "data"
        self.versions = list(getattr(check, "VERSIONS", "ab"))
        for private in ("run", "home", "data", "tmp"):
            (folder / private).mkdir(mode=0o700)
        self.environment = environment(folder / "home") | {
            "NODE_RUNTIME_RUN_DIR": str(folder / "run"),
            "TMPDIR": str(folder / "tmp"),
        }

    # ------------------------------------------------------------------ commands

    def command(self, *words: object, **more: Any) -> Answer:
        """Run a program to its end; `more` are arguments of `subprocess.run`."""
        return run_command(list(words), self.environment, self.folder, more)

    def hotdash(self, *words: object, **more: Any) -> Answer:
        """Run hotdash: in this process, unless there are arguments for `subprocess.run` or the caller is a thread."""
        if more or threading.current_thread() is not threading.main_thread():
            return self.command(self.programs / "hotdash", *words, **more)
        return run_hotdash(list(words), self.environment)

    def script(self, *words: object, **more: Any) -> Answer:
        """Run bin/k of the node directory."""
        return self.command(self.directory / "bin" / "k", *words, **more)

    def usage(self, verb: str) -> str:
        """The help of a verb of hotdash."""
        return self.hotdash(*verb.split(), "--help").out

    # ------------------------------------------------------------------ releases

    def project(self, vsn: str) -> Path:
        """The folder of a version's project."""
        target = self.folder / "projects" / vsn
        if not target.exists():
            words = {"PORT": self.port, "PORT2": self.port2, "DATA": self.data}
            write_case_project(self.case, self.check, self.versions, vsn, words=words, target=target)
        return target

    def build(self, vsn: str) -> Answer:
        """Build a version with `node-runtime build`. Raises CannotBuild if pip can't get what it requires."""
        project = self.project(vsn)
        builder = {**os.environ, **self.environment, "HOME": os.environ.get("HOME", "/")}
        done = self.command(
            self.programs / "node-runtime", "build", project, "--output", self.folder / "out", env=builder
        )
        if done.rc and (wanted := requirements(project)):
            pip = (self.programs / "python", "-m", "pip", "download", "--quiet", "--no-deps", "--dest")
            if self.command(*pip, self.folder / "tmp" / "index", *wanted, env=builder).rc:
                raise CannotBuild
        return done

    def tarball(self, vsn: str) -> Path:
        """The tarball of a version, which is built if there is none yet."""
        built = self.folder / "out" / f"k-{vsn}.tar.gz"
        if not built.exists():
            done = self.build(vsn)
            assert done.rc == 0, f"{vsn} can't be built: {done.last}"
        return built

    def start(self) -> None:
        """Install the first version, and start it."""
        first = self.project(self.versions[0])
        if requirements(first):
            directory_once(self.tarball(self.versions[0]), self.directory, self._install)
        else:
            self._place(first)
        done = self.script("start")
        assert done.rc == 0, f"{self.versions[0]} does not start: {done.last}"

    def _place(self, first: Path) -> None:
        like = make_directory(self.directory, self.folder)
        place_release(self.directory, first, like)
        for vsn in () if hasattr(self.check, "project") else self.versions[1:]:
            if not requirements(self.project(vsn)):
                try:
                    place_release(self.directory, self.project(vsn), like)
                except Refused:
                    continue  # a build refuses it, too: the check asks for that

    def _install(self, tarball: Path, directory: Path) -> None:
        done = self.command(self.programs / "node-runtime", "install", tarball, directory)
        assert done.rc == 0, f"{tarball.name} can't be installed: {done.last}"

    def stage(self, vsn: str) -> Answer:
        """Stage a version, unless the node has it."""
        if vsn in self.releases():
            return Answer(0, "", "")
        done = self.hotdash("stage", self.name, self.tarball(vsn))
        assert done.rc == 0, f"{vsn} can't be staged: {done.last}"
        return done

    def plan(self, vsn: str) -> dict[str, Any]:
        """The plan to go to a version. A refusal without a plan is a plan with that blocker."""
        self.stage(vsn)
        done = self.hotdash("plan", self.name, vsn, "-o", "json")
        if done.json is None:
            assert done.rc == 1, f"planning {vsn} fails: {done.last}"
            assert "Traceback" not in done.err, f"planning {vsn} fails: {done.last}"
            blocker = {"reason": done.last, "remedy": "", "pid": None, "transient": False}
            return {"blockers": [blocker], "warnings": [], "processes": [], "modules": [], "instructions": []}
        blockers = len(done.json["blockers"])
        assert done.rc == bool(blockers), f"planning {vsn} ends with {done.rc}, and the plan has {blockers} blockers"
        return dict(done.json)

    def upgrade(self, vsn: str, *options: object) -> Answer:
        """Upgrade to a version."""
        self.stage(vsn)
        return self.hotdash("upgrade", self.name, vsn, "--yes", "-o", "json", *options)

    def go(self, vsn: str, *options: object) -> None:
        """Upgrade to a version; a failure is wrong."""
        done = self.upgrade(vsn, *options)
        assert done.rc == 0, f"the upgrade to {vsn} fails: {done.last}"

    def rollback(self, *options: object) -> Answer:
        """Roll back to the permanent version."""
        return self.hotdash("rollback", self.name, "--yes", "-o", "json", *options)

    def commit(self) -> None:
        """Commit the current version; a failure is wrong."""
        done = self.hotdash("commit", self.name, "-o", "json")
        assert done.rc == 0, f"the commit fails: {done.last}"

    def remove(self, vsn: str) -> Answer:
        """Remove the release of a version."""
        return self.hotdash("remove", self.name, vsn, "-o", "json")

    def releases(self) -> dict[str, dict[str, Any]]:
        """The node's releases by their versions."""
        listed = self.hotdash("releases", self.name, "-o", "json").json or []
        return {one["vsn"]: one for one in listed}

    # ------------------------------------------------------------------ looking

    def status(self) -> dict[str, Any]:
        """The output of `hotdash status`; empty while the node is down."""
        return dict(self.hotdash("status", self.name, "-o", "json").json or {})

    @property
    def vsn(self) -> str | None:
        """The current version; None while the node is down."""
        current = self.status().get("info", {}).get("vsn")
        return None if current is None else str(current)

    def processes(self) -> list[dict[str, Any]]:
        """The output of `hotdash ps`."""
        return list(self.hotdash("ps", self.name, "-o", "json").json or [])

    def pid(self, process: str) -> int | None:
        """The pid of the live process with this name or child id."""
        for one in self.processes():
            if one["status"] != "zombie" and process in (one["name"], one["child_id"]):
                return int(one["pid"])
        return None

    def state(self, process: object) -> dict[str, Any]:
        """The output of `hotdash state` for a process."""
        done = self.hotdash("state", self.name, process, "-o", "json")
        assert done.rc == 0, f"the state of {process} can't be shown: {done.last}"
        return dict(done.json)

    def log(self) -> str:
        """The node's log."""
        file = self.directory / "var" / "log" / "k.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def probe(self, path: str = "", within: float = 20.0) -> Page:
        """A page of the node."""
        return get_page(f"http://127.0.0.1:{self.port}/{path}", within)

    def value(self, path: str = "", within: float = 20.0) -> Any:
        """The value that a page of the node shows; a page without one is wrong."""
        page = self.probe(path, within)
        assert page.status == 200, f"the page of {self.vsn} fails: {page.last}"
        return page.value()

    # ------------------------------------------------------------------ acting

    def kill(self, process: object) -> Answer:
        """Kill a process."""
        return self.hotdash("kill", self.name, process, "--yes")

    def restart_process(self, process: object) -> Answer:
        """Restart a process through its supervisor."""
        return self.hotdash("restart", self.name, process, "--yes")

    def until(self, condition: Callable[[], Any], within: float = 10.0) -> Any:
        """Returns the first true value of the condition, or the last value when the time is over."""
        deadline = time.monotonic() + within
        while not (found := condition()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        """Stop the node and its parent."""
        if (self.directory / "bin" / "k").exists():
            self.script("stop")
