"""The one registry of what an operator can do.

Key map, footer, help, palette and the command-line twin of everything come from these rows. An action's id is what a
keymap file names; `role` decides whether the dashboard has to be armed, and the node checks it again.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from node_runtime.protocol.messages import Role

Danger = Literal["none", "recoverable", "release"]
Group = Literal["Views", "Processes", "Releases", "Dashboard"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an action is about, as a command line names it. `node` is what a person types to reach it."""

    node: str
    cookie_file: str | None = None
    pid: int | None = None
    vsn: str | None = None
    path: str | None = None
    operation: str | None = None
    wait: float = 0.0
    unrehearsed: bool = False
    reason: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """`keys` are Textual's names, the first one is shown; `views` are those whose footer offers it."""

    id: str
    keys: str
    label: str
    title: str
    help: str
    group: Group
    danger: Danger = "none"
    role: Role = "viewer"
    views: tuple[str, ...] = ()
    twin: Callable[[Subject], str] | None = None


def command(verb: str, subject: Subject, *words: str) -> str:
    """The command line that does `verb` on the subject's node, quoted for a shell."""
    options = ["--cookie-file", subject.cookie_file] if subject.cookie_file else []
    return shlex.join(["hotdash", verb, subject.node, *words, *options])


def _install(verb: str) -> Callable[[Subject], str]:
    return lambda subject: command(verb, subject, subject.vsn or "VSN", "--yes", *_how(subject))


def _how(subject: Subject) -> list[str]:
    wait = ["--wait", f"{subject.wait:g}"] if subject.wait else []
    again = ["--again"] if subject.again else []
    return [*wait, *again, *(["--unrehearsed"] if subject.unrehearsed else []), *_reason(subject)]


def _reason(subject: Subject) -> list[str]:
    return ["--reason", subject.reason] if subject.reason else []


def _process(verb: str) -> Callable[[Subject], str]:
    return lambda subject: command(verb, subject, str(subject.pid if subject.pid is not None else "PID"), "--yes")


def _rollback(subject: Subject) -> str:
    return command("rollback", subject, "--yes", *_how(subject))


def _results(subject: Subject) -> str:
    return command("results", subject, *([subject.operation] if subject.operation else ["--all"]))


def _overview(subject: Subject) -> str:
    return command("tree", subject) if subject.pid is None else command("state", subject, str(subject.pid))


VIEWS = ("overview", "modules", "releases", "upgrades", "events")

ACTIONS: tuple[Action, ...] = (
    Action(
        "view_overview", "1", "Overview", "Overview",
        "The supervision tree, and the live state of the selected process.", "Views", twin=_overview,
    ),
    Action(
        "view_modules", "4", "Modules", "Modules",
        "Every module with its current and its old version, and who still runs the old one.", "Views",
        twin=lambda subject: command("modules", subject),
    ),
    Action(
        "view_releases", "5", "Releases", "Releases",
        "The releases in the node's directory: stage, plan, upgrade, commit, go back.", "Views",
        twin=lambda subject: command("releases", subject),
    ),
    Action(
        "view_upgrades", "6", "Upgrades", "Upgrades",
        "What was done to this node, phase by phase and process by process.", "Views", twin=_results,
    ),
    Action(
        "view_events", "7", "Events", "Events",
        "What the node reports, newest last.", "Views",
        twin=lambda subject: command("events", subject),
    ),
    Action(
        "restart", "R", "restart", "Restart the selected process",
        "Ends the process; its supervisor starts it again. Its state is lost.", "Processes",
        danger="recoverable", role="operator", views=("overview",), twin=_process("restart"),
    ),
    Action(
        "kill", "K", "kill", "Kill the selected process",
        "Ends the process at once, without its terminate. A supervisor takes everything below it along.", "Processes",
        danger="recoverable", role="operator", views=("overview",), twin=_process("kill"),
    ),
    Action(
        "stage", "S", "stage", "Stage a release",
        "Uploads a release's tarball; the node verifies and unpacks it. Nothing that runs is touched.", "Releases",
        danger="recoverable", role="operator", views=("releases",),
        twin=lambda subject: command("stage", subject, subject.path or "TARBALL"),
    ),
    Action(
        "plan", "p", "plan", "Plan the selected release",
        "What going to the selected release would do to this node now. Nothing is touched.", "Releases",
        views=("releases",), twin=lambda subject: command("plan", subject, subject.vsn or "VSN"),
    ),
    Action(
        "upgrade", "U", "upgrade", "Upgrade to the selected release",
        "Replaces the running code by a newer release's, while it runs.", "Releases",
        danger="release", role="operator", views=("releases", "plan"), twin=_install("upgrade"),
    ),
    Action(
        "downgrade", "D", "downgrade", "Downgrade to the selected release",
        "Goes back to an older release by its way down, while it runs.", "Releases",
        danger="release", role="operator", views=("releases", "plan"), twin=_install("downgrade"),
    ),
    Action(
        "commit", "P", "commit", "Make the current release permanent",
        "Ends the probation: from now on the node boots this release.", "Releases",
        danger="release", role="operator", views=("releases", "upgrades", "operation"),
        twin=lambda subject: command("commit", subject, *_reason(subject)),
    ),
    Action(
        "rollback", "X", "roll back", "Roll back to the permanent release",
        "Runs the current release's own way down, on the states as they are now.", "Releases",
        danger="release", role="operator", views=("releases", "upgrades", "operation"), twin=_rollback,
    ),
    Action(
        "arm", "exclamation_mark", "arm", "Arm, or go back to read-only",
        "Allows the operator's actions for a while. The header turns red. The node enforces the rights.", "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "filter", "slash", "filter", "Filter this view",
        "Keeps the rows that hold every word; in the tree their ancestors too. Esc clears it.", "Dashboard",
        views=VIEWS,
    ),
    Action(
        "copy", "c", "copy", "Copy the command line of this view",
        "Puts the command that shows or does the same without a screen into the clipboard.", "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "pause", "z", "pause", "Hold the picture still, or let it go on",
        "The node is watched on; the screen just does not move.", "Dashboard", views=("events",),
    ),
    Action(
        "refresh", "ctrl+r", "refresh", "Ask the node for a new picture now",
        "Also ends the wait before the next attempt when the node was lost.", "Dashboard",
    ),
    Action(
        "theme", "T", "theme", "Change the theme", "Light, dark, and the terminal's own colours.", "Dashboard",
    ),
    Action(
        "help", "question_mark,f1", "help", "Help", "Every key and what it does.", "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "palette", "colon,ctrl+p", "palette", "Command palette", "Every action by its name.", "Dashboard",
        views=VIEWS,
    ),
    Action(
        "back", "escape", "back", "Back", "Closes what is open, or clears the filter. It never quits.", "Dashboard",
        views=("plan", "operation"),
    ),
    Action("leave", "q", "leave", "Back, and from a view: quit", "Asks before it quits.", "Dashboard"),
    Action("quit", "ctrl+q", "quit", "Quit", "The node goes on, and so does an operation that runs.", "Dashboard",
           views=VIEWS),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}

_KEY_NAMES = {
    "slash": "/", "exclamation_mark": "!", "question_mark": "?", "colon": ":", "escape": "esc", "space": "space",
    "asterisk": "*",
}  # fmt: skip


def key_name(key: str) -> str:
    """A key as people read it: `ctrl+r` is `^r`."""
    key = key.strip()
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return _KEY_NAMES.get(key, key)


def shown_keys(action: Action, keymap: dict[str, str]) -> list[str]:
    """The keys that run an action now, the first one first; `keymap` holds what was remapped."""
    return [key_name(key) for key in keymap.get(action.id, action.keys).split(",")]


def footer_actions(view: str) -> list[Action]:
    """What the footer of a view offers."""
    return [action for action in ACTIONS if view in action.views]


def twin_of(action_id: str, subject: Subject) -> str:
    """The command line that does the same; empty for what only concerns the screen."""
    action = BY_ID[action_id]
    return action.twin(subject) if action.twin is not None else ""
