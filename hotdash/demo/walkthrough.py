"""The played demonstration: the commands that a user would type, with what they print.

Nothing here knows a version, a colour or a text of the example. Versions come from the projects, all else from the
commands' output and from the page that the node serves.
"""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request

from node_runtime.protocol.exit_codes import Refused

from .demo_node import Project, Stage

CYCLE_LIMIT = 60.0
WAIT = "30"


def play_story(stage: Stage) -> None:
    """Tell it from the first build to the last stop."""
    first, *later = stage.projects
    say("Build the releases. A release is one tarball: code, configuration, third-party code, and its manifest.")
    for project in stage.projects:
        command(stage, "node-runtime", "build", project.folder, "--output", ".")
    say(f"Unpack {first.vsn} and start it. bin/{first.name} is the node's parent: it restarts the node after a crash.")
    command(stage, "node-runtime", "install", first.tarball, stage.node_folder)
    stage.write_overrides()
    command(stage, stage.script, "start")
    command(stage, stage.script, "versions")
    say("Look at it. Looking sends no message and restarts no timer.")
    command(stage, "hotdash", "status", stage.node)
    command(stage, "hotdash", "tree", stage.node)
    command(stage, "hotdash", "modules", stage.node)
    look_at_page(stage)
    told = watch_colours(stage)
    for project in later:
        told = go_up(stage, project, told)
    if later:
        go_back(stage)
    say("And stop.")
    command(stage, stage.script, "stop")
    say("The node is stopped, and its folders are removed.")


def go_up(stage: Stage, project: Project, told: list[str]) -> list[str]:
    """Stage, plan, upgrade to `project`, and look at what came of it; answers the colours seen so far.

    `told` ends with the newest colour; what happens to a machine that stands there is worth a look.
    """
    state_of = ("hotdash", "state", stage.node, machine(stage))
    say(f"Go to {project.vsn}: upload it, and look at what it would do. Nothing is touched by that.")
    command(stage, "hotdash", "stage", stage.node, project.tarball)
    if project is stage.projects[1]:
        plan_in_the_trap(stage, project, told)
    else:
        command(stage, "hotdash", "plan", stage.node, project.vsn)
    command(stage, *state_of)
    say(f"Upgrade, and wait for a safe moment if it takes one. The page at {stage.url} stays up all the while.")
    if project is not stage.projects[1]:
        wait_for_colour(stage, told[-1])
    command(stage, "hotdash", "upgrade", stage.node, project.vsn, "--wait", WAIT, "--yes")
    command(stage, *state_of)
    look_at_page(stage)
    seen = watch_colours(stage)
    command(stage, "hotdash", "modules", stage.node)
    if project is not stage.projects[-1]:
        say("It runs, but it is on probation: a crash would boot the permanent release. Make it permanent.")
        command(stage, "hotdash", "commit", stage.node)
    return [*told, *(colour for colour in seen if colour not in told)]


def go_back(stage: Stage) -> None:
    """Roll back to the permanent release, and go down from there to the first one."""
    say("Back to the permanent release: the way down migrates the live states too.")
    command(stage, "hotdash", "rollback", stage.node, "--wait", WAIT, "--yes")
    look_at_page(stage)
    for project in reversed(stage.projects[:-2]):
        say(f"And down to {project.vsn}, with whatever state the machine is in by now.")
        command(stage, "hotdash", "downgrade", stage.node, project.vsn, "--wait", WAIT, "--yes")
        look_at_page(stage)
    watch_colours(stage)
    command(stage, "hotdash", "results", stage.node, "--all")
    command(stage, "hotdash", "releases", stage.node)


def machine(stage: Stage) -> str:
    """The name of the state machine: the one gen_statem of the node."""
    listed = json.loads(stage.must("hotdash", "ps", stage.node, "-o", "json"))
    names = [str(process["name"]) for process in listed if process["kind"] == "gen_statem" and process["name"]]
    if not names:
        raise Refused(f"{stage.node} has no named state machine; this story is told about one.")
    return names[0]


def command(stage: Stage, *words: str) -> None:
    """Run a command that has to succeed; print it with its output."""
    show(words, stage.must(*words))


def show(words: tuple[str, ...], output: str) -> None:
    """Print a command with its output."""
    print(f"\n$ {shlex.join(words)}")
    print("\n".join(line.rstrip() for line in output.rstrip().splitlines()), flush=True)


def say(sentence: str) -> None:
    """A line of the narrator."""
    print(f"\n# {sentence}", flush=True)


def look_at_page(stage: Stage) -> None:
    """Fetch the page as a browser would and print its headline."""
    print(f"\nGET {stage.url}/")
    page = _get(stage, "/")
    headline = re.search(r"<h\d[^>]*>.*?</h\d>", page, re.DOTALL)
    print(f"    {headline.group() if headline else page[:200]}", flush=True)


def colour(stage: Stage) -> str:
    """The colour that the page would paint now."""
    return str(json.loads(_get(stage, "/which-color.json"))["color"])


def watch_colours(stage: Stage) -> list[str]:
    """Follow the colour until the cycle comes back to where it began; print the cycle and answer it."""
    print(f"\nGET {stage.url}/which-color.json, again and again")
    seen = [colour(stage)]
    deadline = time.monotonic() + CYCLE_LIMIT
    while True:
        now = colour(stage)
        if now != seen[-1]:
            if now == seen[0]:
                break
            seen.append(now)
        if time.monotonic() > deadline:
            raise Refused(f"The colour did not come back to {seen[0]} within {CYCLE_LIMIT:.0f} s.")
        time.sleep(0.05)
    print(f"    {' → '.join([*seen, seen[0]])}", flush=True)
    return seen


def plan_in_the_trap(stage: Stage, project: Project, told: list[str]) -> None:
    """Print a plan for `project` that the machine's state stands in the way of, or any plan if no state ever does."""
    words = ("hotdash", "plan", stage.node, project.vsn)
    for _ in range(4 * len(told)):
        before = colour(stage)
        done = stage.run(*words)
        if done.returncode != 0:
            break
        wait_for_change(stage, before)
    show(words, done.stdout)


def wait_for_change(stage: Stage, before: str) -> None:
    """Return as soon as the machine is no longer `before`."""
    deadline = time.monotonic() + CYCLE_LIMIT
    while colour(stage) == before and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_for_colour(stage: Stage, wanted: str) -> None:
    """Return as soon as the machine has become `wanted`."""
    wait_for_change(stage, wanted)
    deadline = time.monotonic() + CYCLE_LIMIT
    while colour(stage) != wanted:
        if time.monotonic() > deadline:
            raise Refused(f"The colour did not become {wanted} within {CYCLE_LIMIT:.0f} s.")
        time.sleep(0.02)


def _get(stage: Stage, path: str) -> str:
    with urllib.request.urlopen(stage.url + path, timeout=10) as answer:
        return str(answer.read().decode())
