#!/usr/bin/env python3
"""The node in this directory: its command line, and its parent while it runs.

As a release's bin/<name> it is copied out of its package and needs nothing but the standard library, so that it works
when the node doesn't. As the parent, which OTP calls heart, it boots the release that the commit record calls
permanent, and boots it again when the node ends otherwise than in order or its heart is silent. Where that release is
damaged, or doesn't come up, it boots the newest one that was permanent before. The parent holds var/parent.lock as long
as it lives, and says in var/parent.json how the node is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

DIRECTORY = Path(__file__).resolve().parent.parent
NAME = Path(__file__).resolve().name
RECORD = DIRECTORY / "releases" / "record.json"
LOG = DIRECTORY / "var" / "log" / f"{NAME}.log"
STATE = DIRECTORY / "var" / "parent.json"
LOCK = DIRECTORY / "var" / "parent.lock"

REFUSED, USAGE, DOWN = 1, 2, 3
MAX_UNREADY = 3  # boots in a row; then the parent gives the release up
SETTLED = 5.0  # seconds; a node that ends sooner after it was ready is booted again after a pause
MAX_PAUSE = 30.0
PATIENCE = 60.0  # seconds that the heart may be silent, until the node says something else
LOOK = 0.02  # seconds between two looks at var/
ROOM = 1000  # characters of a sentence in var/parent.json
REMEDY = f"`node-runtime install TARBALL {DIRECTORY}` puts it right"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

HELP = """usage: {name} VERB

  start | foreground         start the node, in the background or here
  stop | restart             in order; a restart boots the permanent release
  ping | pid | status        is it up, its process, what it does
  versions                   the releases that it holds
  cookie [--role viewer]     what an operator elsewhere needs to connect
  attach                     open the dashboard on it

  unpack TARBALL             bring a release here; nothing that runs is touched
  plan VSN                   what an upgrade or a downgrade would do
  upgrade | downgrade VSN    change the code while it runs
  commit | rollback          keep the current release, or go back to the permanent one
  remove VSN                 forget a release
"""


class Failure(Exception):
    """A sentence for people, and the exit code it ends in."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.code = code


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the node directory; empty where there is no such file. Fails for one that makes no sense."""
    try:
        read: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return read
    except ValueError as error:
        raise Failure(f"{path} is damaged: {error}.") from None


def entry(path: Path, read: object, key: str, kind: type) -> Any:
    """What stands under `key` in something read from `path`. Fails where that isn't a `kind`."""
    found = read.get(key) if isinstance(read, dict) else None
    if not isinstance(found, kind):
        raise Failure(f"{path} is damaged: it doesn't say {key!r}; put it back from a backup.")
    return found


def permanent() -> str:
    """The version that boots: the commit record's word, or the only release where there is no record yet."""
    if RECORD.exists():
        return str(entry(RECORD, read_json(RECORD), "permanent", str))
    found = sorted(path.parent.name for path in RECORD.parent.glob("*/manifest.json"))
    if len(found) != 1:
        held = " and ".join(found) if found else "no release"
        raise Failure(f"{RECORD.parent} holds {held}, and no {RECORD.name} says what to boot.")
    return found[0]


def bootable() -> list[str]:
    """What may boot: the permanent release, then those that were permanent before, the last one first."""
    first = permanent()
    known = entry(RECORD, read_json(RECORD), "releases", dict) if RECORD.exists() else {}
    old = [vsn for vsn, held in known.items() if entry(RECORD, held, "status", str) == "old"]
    return [first, *sorted(old, key=lambda vsn: known[vsn].get("committed") or 0, reverse=True)]


def manifest(vsn: str, key: str, kind: type) -> Any:
    """What the manifest of a release that stands here says under `key`."""
    path = RECORD.parent / vsn / "manifest.json"
    if not path.exists():
        raise Failure(f"Release {vsn} is damaged: {path} is missing; {REMEDY}.")
    return entry(path, read_json(path), key, kind)


def verify(vsn: str) -> None:
    """Fails for a release that isn't what was built, or that this Python can't run."""
    if (wanted := manifest(vsn, "python", str)) != PYTHON:
        raise Failure(f"Release {vsn} needs Python {wanted}, and this is {PYTHON}.")
    for path, said in manifest(vsn, "files", dict).items():
        if not path.startswith("bin/"):
            file, wanted = DIRECTORY / path, entry(RECORD.parent / vsn / "manifest.json", said, "sha256", str)
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                wrong = "is not what was built" if file.exists() else "is missing"
                raise Failure(f"Release {vsn} is damaged: {path} {wrong}; {REMEDY}.")


def node_name() -> str:
    """The node's name: etc/node.toml's, else the release's."""
    import tomllib  # an older Python has to come as far as `need_python`

    release = RECORD.parent / permanent() / "node.toml"
    for path in (DIRECTORY / "etc" / "node.toml", release):
        try:
            name = tomllib.loads(path.read_text()).get("name") if path.exists() else None
        except ValueError as error:
            raise Failure(f"{path} is not valid TOML: {error}.") from None
        if name:
            return str(name)
    raise Failure(f"{release} doesn't give the node a name.")


def need_python() -> None:
    """Go on in the Python that the release was built for."""
    try:
        wanted = manifest(permanent(), "python", str)
    except Failure:
        return  # a start may yet boot another release, and all the others say it themselves
    if wanted == PYTHON:
        return
    found = shutil.which(f"python{wanted}")
    probe = (found or "", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    if found is None or subprocess.run(probe, capture_output=True, text=True, check=False).stdout.strip() != wanted:
        raise Failure(f"{NAME} {permanent()} needs Python {wanted}; install it so that PATH has python{wanted}.")
    os.execv(found, [found, "-I", str(Path(__file__).resolve()), *sys.argv[1:]])


def bundled(vsn: str, module: str, *arguments: str) -> list[str]:
    """The command line that runs `module.main(arguments)` with the release's own libraries and no others."""
    paths = [str(part) for part in manifest(vsn, "path", list)]
    enters = [DIRECTORY / part / "node_runtime" / "cli" / "enter.py" for part in paths]
    enter = next((path for path in enters if path.is_file()), None)
    if enter is None:
        raise Failure(f"Release {vsn} in {RECORD.parent} has no node_runtime to run with; put it back from a backup.")
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(enter), str(DIRECTORY), vsn, module, *arguments]


class Parent:
    """Boots the node, listens to its heart, boots it again."""

    def __init__(self) -> None:
        self.node: subprocess.Popen[bytes] | None = None
        self.stopping = self.waiting = False
        self.boots, self.ready_at, self.killed = 0, 0.0, False
        self.last_word = self.error = self.why = self.phase = self.run_directory = ""
        self.given_up: dict[str, str] = {}  # releases that are damaged or don't come up, and why
        self.awake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: self.forward(number))

    def forward(self, number: int) -> None:
        """Tell the node to stop, or with SIGHUP to end and be booted again, at once; who says stop twice means it."""
        self.waiting = False
        if self.node is not None:
            self.node.send_signal(signal.SIGKILL if self.stopping else number)
        self.stopping = self.stopping or number != signal.SIGHUP

    def run(self) -> int:
        """Until the node has stopped in order (0), or can't be kept up (1)."""
        unready = hurried = 0
        while vsn := self.choose():
            self.live(vsn)
            if self.last_word == "stopped" or self.stopping:
                return 0
            if self.last_word == "restart":
                continue
            unready = 0 if self.ready_at else unready + 1
            hurried = 0 if self.ready_at and time.monotonic() - self.ready_at > SETTLED else hurried + 1
            refused = self.last_word == "failed" and unready == self.boots and len(bootable()) == 1
            if unready == MAX_UNREADY or refused:
                self.give_up(vsn, self.error)
                unready = hurried = 0
            else:
                self.say(f"{self.error} I boot it again.")
                self.pause(min(0.25 * 2**hurried, MAX_PAUSE))
        self.error = next(iter(self.given_up.values()))
        self.report("ended", next(iter(self.given_up)))
        return REFUSED

    def choose(self) -> str | None:
        """The release that boots now; None when all are given up."""
        for vsn in bootable():
            if vsn not in self.given_up:
                try:
                    verify(vsn)
                    bundled(vsn, "")
                except Failure as damage:
                    self.give_up(vsn, str(damage))
                else:
                    return vsn
        return None

    def give_up(self, vsn: str, why: str) -> None:
        """Boot this release no more."""
        self.given_up[vsn] = why
        self.say(f"{why} I give up {vsn}.")

    def say(self, sentence: str) -> None:
        """One line in the log. Where the disk takes none, the node is more important."""
        with contextlib.suppress(OSError):
            os.write(2, f"{time.strftime('%F %T')} parent of {NAME}: {sentence}\n".encode())

    def pause(self, seconds: float) -> None:
        """Let some time pass, unless somebody says stop, or restart."""
        until, self.waiting = time.monotonic() + seconds, not self.stopping
        while self.waiting and (left := until - time.monotonic()) > 0:
            if select.select([self.awake], [], [], left)[0]:
                os.read(self.awake, 4096)

    def live(self, vsn: str) -> None:
        """One life of the node, from its boot to its end."""
        ours, theirs = os.pipe()
        told = ["--heart", str(theirs)]
        if vsn != permanent():
            told += ["--because", self.given_up[permanent()]]
        if self.why:
            told += ["--after", self.why, "--during", self.phase]
            if not self.killed:
                told.append("--blame")
        command = bundled(vsn, "node_runtime.cli.node", str(DIRECTORY), vsn, *told)
        self.boots, self.ready_at, self.last_word, self.error, self.phase = self.boots + 1, 0.0, "", "", ""
        node = self.node = subprocess.Popen(command, cwd=DIRECTORY, stdin=subprocess.DEVNULL, pass_fds=(theirs,))
        os.close(theirs)
        self.report("starting", vsn)
        if self.stopping:  # the signal came before there was anybody to forward it to
            node.terminate()
        with open(ours, "rb", buffering=0) as heart:
            self.listen(node, heart, vsn)
        code = node.wait()
        self.node = None
        self.killed = code == -signal.SIGKILL and not self.error  # by somebody else, who may have his own reasons
        self.why = self.error.rstrip(".")
        if self.last_word in {"stopped", "restart"}:
            self.why = ""
        elif not self.error:
            self.why = f"The node was ended by signal {-code}" if code < 0 else f"The node ended with {code}"
            self.error = f"{self.why}; its last words are in {LOG}."
        self.report("ended", vsn)

    def listen(self, node: subprocess.Popen[bytes], heart: IO[bytes], vsn: str) -> None:
        """Hear the node until it has ended; kill it when it is silent for too long."""
        patience, rest, ours = PATIENCE, b"", [heart.fileno(), self.awake]
        deadline = time.monotonic() + patience
        while True:
            heard, _, _ = select.select(ours, [], [], max(0.0, deadline - time.monotonic()))
            if self.awake in heard:
                os.read(self.awake, 4096)
            said = heart.read(4096) if heart.fileno() in heard else None
            if said:
                *lines, rest = (rest + said).split(b"\n")
                for line in lines:
                    patience = self.hear(line.decode("utf-8", "replace"), vsn) or patience
                deadline = time.monotonic() + patience
            elif node.poll() is not None:
                return
            elif said == b"":
                deadline, ours = min(deadline, time.monotonic() + SETTLED), [self.awake]
            elif time.monotonic() >= deadline:
                self.error = self.error or f"The node's heart was silent for {patience:g} s."
                node.kill()
                return

    def hear(self, line: str, vsn: str) -> float | None:
        """One word of the node; returns how long its heart may be silent if it says so, in seconds."""
        word, _, more = line.partition(" ")
        if word == "heart":
            return float(more)
        if word == "phase":
            self.phase = more
        if word == "ready":
            self.ready_at, self.run_directory = time.monotonic(), more
            self.given_up.clear()
            self.report("running", vsn)
        elif word in {"stopped", "restart", "failed"}:
            self.last_word, self.error = word, more
        return None

    def report(self, phase: str, vsn: str) -> None:
        """Say in var/parent.json how the node is."""
        who = {"pid": os.getpid(), "node_pid": self.node.pid if self.node else None, "vsn": vsn}
        how = {"phase": phase, "boots": self.boots, "error": self.error[:ROOM], "run_directory": self.run_directory}
        said = json.dumps({**who, **how}).ljust(2 * ROOM)
        temporary = STATE.with_name(".parent.json.new")
        try:
            temporary.write_text(said)
            temporary.replace(STATE)
        except OSError:  # a full disk takes what stands in the place of something as long
            with contextlib.suppress(OSError), STATE.open("r+") as state:
                state.write(said)


def running() -> dict[str, Any] | None:
    """The state of the node, or None when no parent lives."""
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return read_json(STATE) or None
    return None


def need_running() -> dict[str, Any]:
    """The state of the node. Fails when it is down."""
    found = running()
    if found is None:
        raise Failure(f"{node_name()} is down; `{sys.argv[0]} start` starts it.", DOWN)
    return found


def need_up() -> None:
    """Have what is started next look for the node where it is. Fails when the node is down or not up yet."""
    if (found := need_running())["phase"] != "running":
        raise Failure(f"{being_started(found)}; try again in a moment.", DOWN)
    os.environ["NODE_RUNTIME_RUN_DIR"] = found["run_directory"]  # a service's, say, not this shell's


def being_started(found: dict[str, Any]) -> str:
    """The beginning of a sentence about a node whose parent lives."""
    again = " again" if found["boots"] > 1 or found["phase"] == "ended" else ""
    return f"{node_name()} is being started{again}"


def until_ready(parent: int, boots: int, alive: Callable[[], bool]) -> int:
    """Wait until the parent has booted its node so often and it is ready. Fails with the parent's last words."""
    while True:
        lives, said = alive(), read_json(STATE)
        ours = said.get("pid") == parent
        if ours and said["phase"] == "running" and said["boots"] >= boots:
            print(f"{node_name()} runs {said['vsn']} as process {said['node_pid']}.")
            return 0
        if not lives:
            need_down()  # another start may have been quicker
            raise Failure((ours and said["error"]) or f"{NAME} did not start; {LOG} says why.")
        time.sleep(LOOK)


def need_down() -> None:
    """Fails when the node runs."""
    if (found := running()) and found["phase"] == "running":
        raise Failure(f"{node_name()} runs already, as process {found['node_pid']}; stop or restart it.")
    if found:
        raise Failure(f"{being_started(found)} already; `{sys.argv[0]} stop` ends that.")


def foreground() -> int:
    """Be the parent."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # held by a parent, or for a moment by somebody who asks if there is one
                need_down()
                time.sleep(LOOK)
        STATE.unlink(missing_ok=True)
        return Parent().run()


def start() -> int:
    """Start a parent in the background, and wait until its node is ready."""
    need_down()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-I", str(Path(__file__).resolve()), "foreground")
    with LOG.open("ab") as log, open(os.devnull) as nothing:
        parent = subprocess.Popen(command, stdin=nothing, stdout=log, stderr=log, start_new_session=True)
    return until_ready(parent.pid, 1, lambda: parent.poll() is None)


def stop() -> int:
    """Stop the node in order, and wait until it and its parent are gone."""
    os.kill(need_running()["pid"], signal.SIGTERM)
    while running() is not None:
        time.sleep(LOOK)
    print(f"{node_name()} is stopped.")
    return 0


def restart() -> int:
    """End the node in order, and let its parent boot the permanent release; or start it."""
    found = running()
    if found is None:
        return start()
    os.kill(found["pid"], signal.SIGHUP)
    return until_ready(found["pid"], found["boots"] + 1, lambda: running() is not None)


def pid() -> int:
    """Print the node's process."""
    found = need_running()
    if found["node_pid"] is None:
        raise Failure(f"{being_started(found)}; try again in a moment.", DOWN)
    print(found["node_pid"])
    return 0


def versions(*arguments: str) -> int:
    """The releases: as the node tells them, or as the commit record has them when it is down."""
    if not running():
        known = {permanent(): {"status": "permanent"}}
        if RECORD.exists():
            known = entry(RECORD, read_json(RECORD), "releases", dict)
        statuses = {vsn: entry(RECORD, held, "status", str) for vsn, held in sorted(known.items())}
        as_json = json.dumps([{"vsn": vsn, "status": status} for vsn, status in statuses.items()], indent=2)
        as_lines = "\n".join(f"{vsn:24} {status}" for vsn, status in statuses.items())
        print(as_json if any(word.endswith("json") for word in arguments) else as_lines)
    return operate("releases", *arguments)


def attach(*arguments: str) -> int:
    """Open the dashboard."""
    need_up()
    hotdash = shutil.which("hotdash")
    if hotdash is None:
        raise Failure("There is no hotdash on PATH to open the dashboard with; `pip install hotdash` brings it.")
    os.execv(hotdash, (hotdash, "connect", node_name(), *arguments))


def operate(verb: str, *arguments: str) -> int:
    """Let the bundled hotdash do it, to the node of this directory and to no other of its name."""
    need_up()
    command = bundled(permanent(), "hotdash.cli", verb, node_name(), *arguments)
    os.execv(command[0], command)


def locally(deed: str, *arguments: str) -> int:
    """Let the bundled runtime do it, in this directory; only a cookie can be had of a node that is down."""
    if deed == "ping":
        need_up()
    command = bundled(permanent(), "node_runtime.cli.local", deed, str(DIRECTORY), node_name(), *arguments)
    os.execv(command[0], command)


VERBS: dict[str, Callable[..., int]] = {
    **{verb.__name__: verb for verb in (start, foreground, stop, restart, pid, versions, attach)},
    **{verb: partial(operate, verb) for verb in ("status", "plan", "commit", "remove")},
    # Who types one of these here has decided, as with OTP's scripts.
    **{verb: partial(operate, verb, "--yes") for verb in ("upgrade", "downgrade", "rollback")},
    "unpack": partial(operate, "stage"),
    **{verb: partial(locally, verb) for verb in ("ping", "cookie")},
}
ALONE = {"start", "foreground", "stop", "restart", "ping", "pid"}


def run(verb: str, *arguments: str) -> int:
    """Do one verb; returns its exit code."""
    if verb in VERBS and not (arguments and verb in ALONE):
        return VERBS[verb](*arguments)
    code = 0 if verb in {"help", "-h", "--help"} else USAGE
    print(HELP.format(name=NAME), end="", file=sys.stderr if code else sys.stdout)
    return code


def main() -> NoReturn:
    """The command line: a verb, and what it takes."""
    try:
        need_python()
        sys.exit(run(*(sys.argv[1:] or [""])))
    except Failure as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.code)
    except OSError as error:
        print(f"{NAME}: {error}.", file=sys.stderr)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
