"""The printed demonstration: the commands that a user would type, with their output.

No version, colour or text of the example is hard-coded: versions come from the projects, everything else from the
commands' output and from the page that the node serves.
"""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request

from node_runtime.protocol.exit_codes import Refused

from .demo_node import DemoFolder, Project

CYCLE_LIMIT_SECONDS = 60.0
WAIT_SECONDS = "30"


def play_walkthrough(demo: DemoFolder) -> None:
    """Print the walkthrough, from the first build to the stop of the node."""
    first, *later = demo.projects
    narrate("Build the releases. A release is one tarball: code, configuration, third-party code, and its manifest.")
    for project in demo.projects:
        command(demo, "node-runtime", "build", project.folder, "--output", ".")
    narrate(
        f"Unpack {first.vsn} and start it. bin/{first.name} is the node's parent: it restarts the node after a crash."
    )
    command(demo, "node-runtime", "install", first.tarball, demo.node_folder)
    demo.write_overrides()
    command(demo, demo.script, "start")
    command(demo, demo.script, "versions")
    narrate("Inspect the node. This sends no message to a process and restarts no timer.")
    command(demo, "hotdash", "status", demo.node)
    command(demo, "hotdash", "tree", demo.node)
    command(demo, "hotdash", "modules", demo.node)
    look_at_page(demo)
    known_colours = watch_colours(demo)
    for project in later:
        known_colours = run_upgrade(demo, project, known_colours)
    if later:
        run_rollback(demo)
    narrate("Stop the node.")
    command(demo, demo.script, "stop")
    narrate("The node is stopped, and its folders are removed.")


def run_upgrade(demo: DemoFolder, project: Project, known_colours: list[str]) -> list[str]:
    """Stage, plan and upgrade to `project`, and print the result; return all colours seen so far.

    `known_colours` are the colours seen before, in the order of their first appearance. Every upgrade
    except the first starts while the machine is in the last of these colours, so that code_change has
    a colour to convert.
    """
    state_of = ("hotdash", "state", demo.node, machine(demo))
    narrate(f"Stage {project.vsn}, and show its plan. The running code is not changed.")
    command(demo, "hotdash", "stage", demo.node, project.tarball)
    if project is demo.projects[1]:
        plan_while_blocked(demo, project, known_colours)
    else:
        command(demo, "hotdash", "plan", demo.node, project.vsn)
    command(demo, *state_of)
    narrate(f"Upgrade, and wait for a safe moment if needed. The page at {demo.url} stays up during the upgrade.")
    if project is not demo.projects[1]:
        wait_for_colour(demo, known_colours[-1])
    command(demo, "hotdash", "upgrade", demo.node, project.vsn, "--wait", WAIT_SECONDS, "--yes")
    command(demo, *state_of)
    look_at_page(demo)
    seen = watch_colours(demo)
    command(demo, "hotdash", "modules", demo.node)
    if project is not demo.projects[-1]:
        narrate(
            f"{project.vsn} is on probation: after a crash, the permanent release would boot. Commit {project.vsn}."
        )
        command(demo, "hotdash", "commit", demo.node, "--yes")
    return [*known_colours, *(colour for colour in seen if colour not in known_colours)]


def run_rollback(demo: DemoFolder) -> None:
    """Roll back to the permanent release, then downgrade to the first release."""
    narrate("Roll back to the permanent release: code_change migrates the live states in this direction, too.")
    command(demo, "hotdash", "rollback", demo.node, "--wait", WAIT_SECONDS, "--yes")
    look_at_page(demo)
    for project in reversed(demo.projects[:-2]):
        narrate(f"Downgrade to {project.vsn}, whatever state the machine is in.")
        command(demo, "hotdash", "downgrade", demo.node, project.vsn, "--wait", WAIT_SECONDS, "--yes")
        look_at_page(demo)
    watch_colours(demo)
    command(demo, "hotdash", "results", demo.node, "--all")
    command(demo, "hotdash", "releases", demo.node)


def machine(demo: DemoFolder) -> str:
    """Return the name of the state machine: the node's only named gen_statem."""
    listed = json.loads(demo.run_checked("hotdash", "ps", demo.node, "-o", "json"))
    names = [str(process["name"]) for process in listed if process["kind"] == "gen_statem" and process["name"]]
    if not names:
        raise Refused(f"{demo.node} has no named state machine; the demonstration needs one.")
    return names[0]


def command(demo: DemoFolder, *words: str) -> None:
    """Run a command that has to succeed; print it with its output."""
    show(words, demo.run_checked(*words))


def show(words: tuple[str, ...], output: str) -> None:
    """Print a command with its output."""
    print(f"\n$ {shlex.join(words)}")
    print("\n".join(line.rstrip() for line in output.rstrip().splitlines()), flush=True)


def narrate(sentence: str) -> None:
    """Print a line of explanation."""
    print(f"\n# {sentence}", flush=True)


def look_at_page(demo: DemoFolder) -> None:
    """Fetch the page as a browser would, and print its headline."""
    print(f"\nGET {demo.url}/")
    page = _get(demo, "/")
    headline = re.search(r"<h\d[^>]*>.*?</h\d>", page, re.DOTALL)
    print(f"    {headline.group() if headline else page[:200]}", flush=True)


def colour(demo: DemoFolder) -> str:
    """Return the colour that the page shows now."""
    return str(json.loads(_get(demo, "/which-color.json"))["color"])


def watch_colours(demo: DemoFolder) -> list[str]:
    """Watch the page until a colour appears again; print the cycle of colours and return it."""
    print(f"\nGET {demo.url}/which-color.json, again and again")
    seen = [colour(demo)]
    deadline = time.monotonic() + CYCLE_LIMIT_SECONDS
    while True:
        now = colour(demo)
        if now != seen[-1]:
            if now == seen[0]:
                break
            seen.append(now)
        if time.monotonic() > deadline:
            raise Refused(f"The colour did not come back to {seen[0]} within {CYCLE_LIMIT_SECONDS:.0f} s.")
        time.sleep(0.05)
    print(f"    {' → '.join([*seen, seen[0]])}", flush=True)
    return seen


def plan_while_blocked(demo: DemoFolder, project: Project, known_colours: list[str]) -> None:
    """Print a plan for `project` that the state of the machine blocks; if no state blocks it, print any plan."""
    words = ("hotdash", "plan", demo.node, project.vsn)
    for _ in range(4 * len(known_colours)):
        before = colour(demo)
        done = demo.run(*words)
        if done.returncode != 0:
            break
        wait_for_change(demo, before)
    show(words, done.stdout)


def wait_for_change(demo: DemoFolder, before: str) -> None:
    """Wait until the colour of the machine is not `before` any more."""
    deadline = time.monotonic() + CYCLE_LIMIT_SECONDS
    while colour(demo) == before and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_for_colour(demo: DemoFolder, wanted: str) -> None:
    """Wait until the colour of the machine is `wanted`."""
    wait_for_change(demo, wanted)
    deadline = time.monotonic() + CYCLE_LIMIT_SECONDS
    while colour(demo) != wanted:
        if time.monotonic() > deadline:
            raise Refused(f"The colour did not become {wanted} within {CYCLE_LIMIT_SECONDS:.0f} s.")
        time.sleep(0.02)


def _get(demo: DemoFolder, path: str) -> str:
    with urllib.request.urlopen(demo.url + path, timeout=10) as answer:
        return str(answer.read().decode())
