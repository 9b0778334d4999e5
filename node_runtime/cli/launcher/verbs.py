"""The command line: what each verb does, and what it says where it can't."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from .node_directory import (
    DIRECTORY,
    DOWN,
    LOG,
    NAME,
    PYTHON,
    RECORD,
    REFUSED,
    SCRIPT,
    USAGE,
    Failure,
    bundled,
    entry,
    manifest,
    node_name,
    permanent,
    read_json,
)
from .parent import LOCK, STATE, Parent, running

LOOK = 0.02  # seconds between two looks at var/

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
    os.execv(found, [found, "-I", str(SCRIPT), *sys.argv[1:]])


def need_running() -> dict[str, Any]:
    """The state of the node. Fails when it is down."""
    found = running()
    if found is None:
        raise Failure(f"{node_name()} is down; `{this_script()} start` starts it.", DOWN)
    return found


def need_up() -> None:
    """Have what is started next look for the node where it is. Fails when the node is down or not up yet."""
    if (found := need_running())["phase"] != "running":
        raise Failure(f"{being_started(found)}; try again in a moment.", DOWN)
    if (started := found["directory"]) != str(DIRECTORY):
        again = f"move its folder back, or `{this_script()} stop` and start it here"
        raise Failure(f"{node_name()} was started in {started}; {again}.", DOWN)
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
        raise Failure(f"{being_started(found)} already; `{this_script()} stop` ends that.")


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
        parent = Parent()
        try:
            return parent.run()
        except Failure as failure:  # who has started it reads this
            parent.error = str(failure)
            parent.report("ended", "")
            raise


def start() -> int:
    """Start a parent in the background, and wait until its node is ready."""
    need_down()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-I", str(SCRIPT), "foreground")
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
    command = bundled(permanent(), "node_runtime.cli.offline_verbs", deed, str(DIRECTORY), node_name(), *arguments)
    os.execv(command[0], command)


VERBS: dict[str, Callable[..., int]] = {
    **{verb.__name__: verb for verb in (start, foreground, stop, restart, pid, versions, attach)},
    **{verb: partial(operate, verb) for verb in ("status", "plan", "commit", "remove")},
    # Who types one of these here has decided, as with OTP's scripts.
    **{verb: partial(operate, verb, "--yes") for verb in ("upgrade", "downgrade", "rollback")},
    "unpack": partial(operate, "stage"),
    **{verb: partial(locally, verb) for verb in ("ping", "cookie")},
}
NEEDS = {"unpack": "a TARBALL"} | dict.fromkeys(("plan", "upgrade", "downgrade", "remove"), "a VSN")
ALONE = {"start", "foreground", "stop", "restart", "ping", "pid"}


def run(verb: str = "", *arguments: str) -> int:
    """Do one verb; returns its exit code."""
    if verb in {"", "help", "-h", "--help"}:
        print(HELP.format(name=NAME), end="", file=sys.stdout if verb else sys.stderr)
        return 0 if verb else USAGE
    if verb not in VERBS:
        raise Failure(f"{NAME} has no verb {verb}; `{this_script()} help` lists those that it has.", USAGE)
    if arguments and verb in ALONE:
        raise Failure(f"{NAME} {verb} takes nothing more, and here follows {shlex.join(arguments)}.", USAGE)
    if not arguments and verb in NEEDS:
        raise Failure(f"{NAME} {verb} needs {NEEDS[verb]}; `{this_script()} help` tells how to say it.", USAGE)
    return VERBS[verb](*arguments)


def this_script() -> str:
    """This script as it was called, for people who copy it from a sentence into a shell."""
    return shlex.quote(sys.argv[0])


def main() -> NoReturn:
    """The command line: a verb, and what it takes."""
    try:
        need_python()
        sys.exit(run(*sys.argv[1:]))
    except Failure as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.code)
    except OSError as error:
        print(f"{NAME}: {error}.", file=sys.stderr)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
