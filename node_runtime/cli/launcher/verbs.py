"""The command line of a node directory: its verbs and their error messages."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

from .installed_release import InstalledRelease
from .node_directory import (
    DIRECTORY,
    DOWN,
    LOG,
    NAME,
    OTHERWISE,
    PYTHON,
    RECORD,
    REFUSED,
    SCRIPT,
    USAGE,
    LauncherError,
    node_name,
    permanent,
    read_json,
    recorded,
    value_of,
)
from .parent_lock import STATE, acquire, make_private, need_owner, running, send_signal

POLL_SECONDS = 0.02  # between two reads of var/
READY_SECONDS = 600.0  # `start` waits for worker 1 so long: a node that boots may have much to read
WORKERS_SECONDS = 120.0  # and then for the other workers
ISOLATED = ("-I", "-S", "-B", "-X", "utf8", "--")  # as bin/<name> starts Python

HELP = """usage: {name} VERB

  start | foreground         start the node in the background, or in this terminal
  stop | restart             shut down the node; restart then boots the permanent release
  ping | pid | status        check that the node answers, print its process id or its status
  versions                   list the releases in this directory
  cookie [--role viewer]     print the cookie that operators on other hosts need
  cookie --for NAME          make a cookie for one person; also --list, --rotate, --revoke NAME
  audit [--verify]           print or verify the audit log
  attach                     open the dashboard

  unpack TARBALL             add a release to this directory; the running code is not changed
  plan VSN                   show what an upgrade or downgrade would do
  upgrade | downgrade VSN    change the code of the running node; with --cold, restart it with the release
  commit | rollback          make the current release permanent, or go back to the permanent one
  abort                      end an operation that prepares or waits
  results                    show what the last operation did to each process
  modules                    list the modules, and what keeps their old versions
  purge MODULE               end what keeps the old version of a module
  kill PID|NAME              end a process, or a task that no process owns
  remove VSN                 delete a release

upgrade, downgrade, rollback, purge and kill ask for confirmation; --yes answers it, for scripts.
"""


def need_text() -> None:
    """Raise LauncherError if the directory's path can't be written in UTF-8, as the node's files and messages need."""
    try:
        str(DIRECTORY).encode()
    except UnicodeEncodeError:
        raise LauncherError(f"The path {str(DIRECTORY)!a} of the node is not UTF-8; rename its folder.") from None


def need_python() -> None:
    """Continue this script in the Python that the release was built for."""
    try:
        release = InstalledRelease(permanent())
        if release.value("python", str) == PYTHON:
            return
    except LauncherError:
        return  # `start` may boot another release; the other verbs report the error themselves
    found = release.interpreter()
    os.execv(found, [found, *ISOLATED, str(SCRIPT), *sys.argv[1:]])


def need_running() -> dict[str, Any]:
    """Return the contents of var/parent.json. Raises LauncherError if the node is down."""
    found = running()
    if found is None:
        raise LauncherError(f"{node_name()} is down; `{this_script()} start` starts it.", DOWN)
    return found


def need_up() -> None:
    """Set NODE_RUNTIME_RUN_DIR for the running node. Raises LauncherError if the node is down, starting or moved."""
    if (found := need_running())["phase"] != "running":
        raise LauncherError(f"{being_started(found)}; try again in a moment.", DOWN)
    if (started := found["directory"]) != str(DIRECTORY):
        remedy = f"move the folder back, or run `{this_script()} stop` and start the node again"
        raise LauncherError(f"{node_name()} was started in {started}, but is now in {DIRECTORY}; {remedy}.", DOWN)
    # Under a service manager, the node's run directory may differ from that of this shell.
    os.environ["NODE_RUNTIME_RUN_DIR"] = found["run_directory"]


def being_started(found: dict[str, Any]) -> str:
    """Return the beginning of a sentence about a node that is not ready yet."""
    again = " again" if found["boots"] > 1 or found["phase"] == "ended" else ""
    return f"{node_name()} is being started{again}"


def until_ready(parent: int, boots: int, alive: Callable[[], bool]) -> int:
    """Wait until the node is ready after at least `boots` boots.

    If the parent ends first, raises its last error. A node that neither gets ready nor fails goes on starting, when
    this no longer waits for it.
    """
    deadline, runs = time.monotonic() + READY_SECONDS, False
    while True:
        lives, state, late = alive(), read_json(STATE), time.monotonic() > deadline
        ours = state.get("pid") == parent
        if ours and state["phase"] == "running" and state["boots"] >= boots:
            if late or all(map(has_settled, state["workers"])):
                print(f"{node_name()} runs {state['vsn']} as process {state['node_pid']}.")
                print("".join(address_lines(state.get("listens") or {})), end="")
                print("".join(map(worker_line, state["workers"])), end="")
                return 0
            if not runs:
                deadline, runs = time.monotonic() + WORKERS_SECONDS, True
        elif late:
            remedy = f"{LOG} may say why, and `{this_script()} stop` cancels the start"
            raise LauncherError(f"{node_name()} is not ready after {READY_SECONDS:g} s; {remedy}.", DOWN)
        if not lives:
            need_down()  # another `start` may have started the node meanwhile
            raise LauncherError((ours and state["error"]) or f"{NAME} did not start; see {LOG}.")
        time.sleep(POLL_SECONDS)


def address_lines(listens: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say where the node accepts clients and operators; an older release doesn't report it."""
    for address in listens.get("addresses", ()):
        yield f"It listens on {address}\n"
    if control := listens.get("control"):
        yield f"Its control endpoint is {control}; `hotdash connect {node_name()}` opens the dashboard.\n"


def has_settled(worker: dict[str, Any]) -> bool:
    """Return whether a worker other than worker 1 is ready, or has ended with an error."""
    return worker["phase"] == "running" or bool(worker["error"])


def worker_line(worker: dict[str, Any]) -> str:
    """Return the line that says whether a worker other than worker 1 runs."""
    runs = f"runs as process {worker['pid']}." if worker["phase"] == "running" else f"does not run: {worker['error']}"
    if not has_settled(worker):
        runs = f"is not ready after {WORKERS_SECONDS:g} s; {LOG} may say why."
    return f"Worker {worker['number']} {runs}\n"


def need_down() -> None:
    """Raise LauncherError if the node runs or is being started."""
    if (found := running()) and found["phase"] == "running":
        raise LauncherError(f"{node_name()} runs already, as process {found['node_pid']}; stop or restart it.")
    if found:
        raise LauncherError(f"{being_started(found)}; `{this_script()} stop` cancels the start.")


def foreground(*trial: str) -> int:
    """Run the parent process. The lock is released at its end. With `--trial VSN`, it boots VSN first, on probation."""
    if trial and (len(trial) != 2 or trial[0] != "--trial"):
        raise LauncherError(f"{NAME} foreground takes no arguments, but got {shlex.join(trial)}.", USAGE)
    from .parent import Parent  # no other verb needs it, and the launcher is compiled each time that it starts

    need_owner()
    opened = make_private()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    while acquire() is None:  # a parent holds the lock, or for a moment a verb that checks for a parent
        need_down()
        time.sleep(POLL_SECONDS)
    STATE.unlink(missing_ok=True)
    parent = Parent(trial[1] if trial else "")
    if opened:
        parent.log(opened)
    try:
        return parent.run()
    except LauncherError as failure:  # `start` reads and prints this
        parent.error = str(failure)
        parent.report("ended", "")
        raise


def start(vsn: str = "") -> int:
    """Start a parent in the background, and wait until its node is ready; it boots `vsn` on probation, if given."""
    need_owner()
    need_down()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, *ISOLATED, str(SCRIPT), "foreground", *(["--trial", vsn] if vsn else []))
    with LOG.open("ab") as log, open(os.devnull) as nothing:
        parent = subprocess.Popen(command, stdin=nothing, stdout=log, stderr=log, start_new_session=True)
    return until_ready(parent.pid, 1, lambda: parent.poll() is None)


def install(verb: str, *arguments: str) -> int:
    """Upgrade or downgrade the running node. If it is down, `--cold` starts it with the release, on probation."""
    if "--cold" not in arguments or running() is not None:
        return operate(verb, *arguments)
    release = InstalledRelease(permanent())
    checked = subprocess.run(
        release.command("node_runtime.cli.local", "cold", str(DIRECTORY), node_name(), *arguments),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if checked.returncode:
        return checked.returncode
    vsn = checked.stdout.strip()
    start(vsn)
    if (booted := read_json(STATE)["vsn"]) != vsn:
        why = f"`{this_script()} status` says why"
        raise LauncherError(f"Release {vsn} did not start, so {node_name()} runs {booted} again; {why}.", OTHERWISE)
    return 0


def stop() -> int:
    """Shut down the node, and wait until it and its parent have ended."""
    send_signal(need_running(), signal.SIGTERM)
    while running() is not None:
        time.sleep(POLL_SECONDS)
    print(f"{node_name()} is stopped.")
    return 0


def restart() -> int:
    """Shut down the node and let its parent boot the permanent release; if it is down, start it."""
    found = running()
    if found is None:
        return start()
    send_signal(found, signal.SIGHUP)
    return until_ready(found["pid"], found["boots"] + 1, lambda: running() is not None)


def pid() -> int:
    """Print the id of the node's OS process."""
    found = need_running()
    if found["node_pid"] is None:
        raise LauncherError(f"{being_started(found)}; try again in a moment.", DOWN)
    print(found["node_pid"])
    return 0


def versions(*arguments: str) -> int:
    """List the releases that the node reports.

    If the node is down, list those in the commit record, and then fail like every verb that needs the node.
    """
    if not running():
        known = recorded() or {permanent(): {"status": "permanent"}}
        statuses = {vsn: value_of(RECORD, held, "status", str) for vsn, held in sorted(known.items())}
        as_json = json.dumps([{"vsn": vsn, "status": status} for vsn, status in statuses.items()], indent=2)
        as_lines = "\n".join(f"{vsn:24} {status}" for vsn, status in statuses.items())
        print(as_json if any(word.endswith("json") for word in arguments) else as_lines)
    return operate("releases", *arguments)


def attach(*arguments: str) -> int:
    """Open the dashboard."""
    need_up()
    hotdash = shutil.which("hotdash")
    if hotdash is None:
        raise LauncherError("The dashboard needs hotdash on PATH; install it with `pip install hotdash`.")
    os.execv(hotdash, (hotdash, "connect", node_name(), *arguments))


def operate(verb: str, *arguments: str) -> int:
    """Run a verb of the release's own hotdash for the node of this directory, not for another node of the same name."""
    need_up()
    command = InstalledRelease(permanent()).command("hotdash.cli", verb, node_name(), *arguments)
    os.execv(command[0], command)


def run_local(verb: str, *arguments: str) -> int:
    """Run a verb with the release's own node_runtime. All but `ping` also work while the node is down."""
    if verb == "ping":
        need_up()
    release = InstalledRelease(permanent())
    command = release.command("node_runtime.cli.local", verb, str(DIRECTORY), node_name(), *arguments)
    os.execv(command[0], command)


# The verbs of hotdash with the same names here.
OPERATED = ("status", "plan", "commit", "rollback", "remove", "results", "modules", "kill", "purge", "abort")
VERBS: dict[str, Callable[..., int]] = {
    **{verb.__name__: verb for verb in (start, foreground, stop, restart, pid, versions, attach)},
    **{verb: partial(operate, verb) for verb in OPERATED},
    **{verb: partial(install, verb) for verb in ("upgrade", "downgrade")},
    "unpack": partial(operate, "stage"),
    **{verb: partial(run_local, verb) for verb in ("ping", "cookie", "audit")},
}
REQUIRED_ARGUMENTS = {"unpack": "a TARBALL", "purge": "a MODULE", "kill": "a PID or NAME"} | dict.fromkeys(
    ("plan", "upgrade", "downgrade", "remove"), "a VSN"
)
NO_ARGUMENTS = {"start", "stop", "restart", "ping", "pid"}


def run(verb: str = "", *arguments: str) -> int:
    """Run one verb; return its exit code."""
    if verb in {"", "help", "-h", "--help"}:
        print(HELP.format(name=NAME), end="", file=sys.stdout if verb else sys.stderr)
        return 0 if verb else USAGE
    if verb not in VERBS:
        raise LauncherError(f"{NAME} has no verb {verb}; `{this_script()} help` lists all verbs.", USAGE)
    if arguments and verb in NO_ARGUMENTS:
        raise LauncherError(f"{NAME} {verb} takes no arguments, but got {shlex.join(arguments)}.", USAGE)
    if not arguments and verb in REQUIRED_ARGUMENTS:
        raise LauncherError(f"{NAME} {verb} needs {REQUIRED_ARGUMENTS[verb]}; see `{this_script()} help`.", USAGE)
    return VERBS[verb](*arguments)


def this_script() -> str:
    """Return the path by which this script was called, quoted for a shell."""
    return shlex.quote(sys.argv[0])


def main() -> NoReturn:
    """Run the command line: a verb and its arguments."""
    try:
        need_text()
        need_python()
        sys.exit(run(*sys.argv[1:]))
    except LauncherError as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.code)
    except OSError as error:
        print(f"{NAME}: {error}.", file=sys.stderr)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
