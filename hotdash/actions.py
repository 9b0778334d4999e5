"""The registry of the operator's actions.

Keymap, footer, help, palette and the equivalent command lines use this registry. A keymap file refers to actions by
id. An action with the role operator needs an armed dashboard, unless it changes nothing; the node checks the role
again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from node_runtime.protocol import messages as m

Group = Literal["Views", "Processes", "Releases", "Dashboard"]


@dataclass(frozen=True, slots=True)
class CommandSubject:
    """The arguments of the `hotdash` command that does the same as an action.

    `node` is the command's argument NODE. A field is None if the command does not need it or nothing is selected.
    """

    node: str
    cookie_file: str | None = None
    pid: int | None = None
    vsn: str | None = None
    path: str | None = None
    operation: str | None = None
    options: m.InstallOptions = field(default_factory=m.InstallOptions)


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    `keys` has the Textual names of its keys, separated by commas; the first key is shown. `views`
    are the views and screens whose footer shows the action. `{id}` in `help` means the key of the
    action with that id, which `help_of` inserts. `operator_reason` says why an action that
    `changes_nothing` needs the role operator nevertheless.
    """

    id: str
    keys: str
    label: str
    title: str
    help: str
    group: Group
    role: m.Role = "viewer"
    views: tuple[str, ...] = ()
    command_line: Callable[[CommandSubject], str] | None = None
    changes_nothing: bool = False
    operator_reason: str = ""


def build_command_line(verb: str, subject: CommandSubject, *words: str) -> str:
    """Return the command line that runs `verb` on the subject's node, quoted for a shell."""
    options = ["--cookie-file", subject.cookie_file] if subject.cookie_file else []
    return shlex.join(["hotdash", verb, subject.node, *words, *options])


def _install(verb: str) -> Callable[[CommandSubject], str]:
    return lambda subject: build_command_line(
        verb, subject, subject.vsn or "VSN", "--yes", *_option_words(subject.options)
    )


def _option_words(options: m.InstallOptions) -> list[str]:
    wait = ["--wait", f"{options.wait:g}"] if options.wait else []
    again = ["--again"] if options.again else []
    return [*wait, *again, *(["--unrehearsed"] if options.unrehearsed else []), *_reason_words(options)]


def _reason_words(options: m.InstallOptions) -> list[str]:
    return ["--reason", options.reason] if options.reason else []


def _process(verb: str) -> Callable[[CommandSubject], str]:
    return lambda subject: build_command_line(
        verb, subject, str(subject.pid if subject.pid is not None else "PID"), "--yes"
    )


def _rollback(subject: CommandSubject) -> str:
    return build_command_line("rollback", subject, "--yes", *_option_words(subject.options))


def _results(subject: CommandSubject) -> str:
    return build_command_line("results", subject, *([subject.operation] if subject.operation else ["--all"]))


def _overview(subject: CommandSubject) -> str:
    return (
        build_command_line("tree", subject)
        if subject.pid is None
        else build_command_line("state", subject, str(subject.pid))
    )


VIEWS = ("overview", "modules", "releases", "upgrades", "events")

ACTIONS: tuple[Action, ...] = (
    Action(
        "view_overview", "1", "Overview", "Overview",
        "The supervision tree, and the live state of the selected process.", "Views", command_line=_overview,
    ),
    Action(
        "view_modules", "4", "Modules", "Modules",
        "Every module with its current and old version, and the processes that run the old one.", "Views",
        command_line=lambda subject: build_command_line("modules", subject),
    ),
    Action(
        "view_releases", "5", "Releases", "Releases",
        "The releases in the node's directory: stage, plan, upgrade, commit, roll back.", "Views",
        command_line=lambda subject: build_command_line("releases", subject),
    ),
    Action(
        "view_upgrades", "6", "Upgrades", "Upgrades",
        "The operations on this node, by phase and by process.", "Views", command_line=_results,
    ),
    Action(
        "view_events", "7", "Events", "Events",
        "The events that the node reports, newest last.", "Views",
        command_line=lambda subject: build_command_line("events", subject),
    ),
    Action(
        "restart", "R", "restart", "Restart the selected process",
        "Ends the process; its supervisor starts it again. Its state is lost.", "Processes",
        role="operator", views=("overview",), command_line=_process("restart"),
    ),
    Action(
        "kill", "K", "kill", "Kill the selected process",
        "Ends the process at once, without calling its terminate. "
        "If it is a supervisor, all processes below it end, too.",
        "Processes",
        role="operator", views=("overview",), command_line=_process("kill"),
    ),
    Action(
        "stage", "S", "stage", "Stage a release",
        "Uploads a release's tarball; the node verifies and unpacks it. The running code is not changed.", "Releases",
        role="operator", views=("releases",),
        command_line=lambda subject: build_command_line("stage", subject, subject.path or "TARBALL"),
    ),
    Action(
        "plan", "p", "plan", "Plan the selected release",
        "Shows what an upgrade or downgrade to the selected release would do now. Nothing is changed.", "Releases",
        role="operator", views=("releases",),
        command_line=lambda subject: build_command_line("plan", subject, subject.vsn or "VSN"),
        changes_nothing=True, operator_reason="A plan executes code of the release in the node.",
    ),
    Action(
        "upgrade", "U", "upgrade", "Upgrade to the selected release",
        "Replaces the code of the running node with the code of a newer release.", "Releases",
        role="operator", views=("releases", "plan"), command_line=_install("upgrade"),
    ),
    Action(
        "downgrade", "D", "downgrade", "Downgrade to the selected release",
        "Returns the running node to an older release, by the appups' downgrade instructions.", "Releases",
        role="operator", views=("releases", "plan"), command_line=_install("downgrade"),
    ),
    Action(
        "commit", "P", "commit", "Make the current release permanent",
        "Ends the probation: from now on the node boots this release when it is restarted.", "Releases",
        role="operator", views=("releases", "upgrades", "operation"),
        command_line=lambda subject: build_command_line("commit", subject, *_reason_words(subject.options)),
    ),
    Action(
        "rollback", "X", "roll back", "Roll back to the permanent release",
        "Returns to the permanent release; code_change converts the present states of the processes.", "Releases",
        role="operator", views=("releases", "upgrades", "operation"), command_line=_rollback,
    ),
    Action(
        "abort", "A", "abort", "Abort the running operation",
        "Ends an operation that prepares or waits, before it changes anything. Later, {rollback} goes back.",
        "Releases",
        role="operator", views=("upgrades", "operation"),
        command_line=lambda subject: build_command_line("abort", subject, *_reason_words(subject.options)),
    ),
    Action(
        "arm", "exclamation_mark", "arm", "Arm, or return to read-only",
        "Allows the operator's actions for 15 minutes; the header is red meanwhile. "
        "The node checks the role, too.",
        "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "filter", "slash", "filter", "Filter this view",
        "Shows only rows that contain every word; the tree also shows their ancestors. {back} clears the filter.",
        "Dashboard",
        views=VIEWS,
    ),
    Action(
        "copy", "c", "copy", "Copy the command line of this view",
        "Copies the hotdash command that prints what this view shows.", "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "pause", "z", "pause", "Pause the display, or resume it",
        "The screen stops changing; the connection stays open.", "Dashboard", views=("events",),
    ),
    Action(
        "refresh", "ctrl+r", "refresh", "Read the node's state now",
        "Reads the node's state now, and reconnects at once if the connection was lost.", "Dashboard",
    ),
    Action(
        "theme", "T", "theme", "Change the theme", "Offers light, dark, and the terminal's own colours.", "Dashboard",
    ),
    Action(
        "help", "question_mark,f1", "help", "Help", "Shows every key and what it does.", "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "palette", "colon,ctrl+p", "palette", "Command palette", "Finds an action by its name.", "Dashboard",
        views=VIEWS,
    ),
    Action(
        "back", "escape", "back", "Back", "Closes the screen or clears the filter. It never quits.", "Dashboard",
        views=("plan", "operation"),
    ),
    Action(
        "leave", "q", "leave", "Back, and from a view: quit", "Goes back; in a view, asks whether to quit.",
        "Dashboard",
    ),
    Action("quit", "ctrl+q", "quit", "Quit", "Quits at once. The node and a running operation continue.", "Dashboard",
           views=VIEWS),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}

_KEY_NAMES = {
    "slash": "/", "exclamation_mark": "!", "question_mark": "?", "colon": ":", "escape": "esc", "space": "space",
    "asterisk": "*",
}  # fmt: skip


def key_name(key: str) -> str:
    """Return the display form of a key: `^r` for `ctrl+r`."""
    key = key.strip()
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return _KEY_NAMES.get(key, key)


def shown_keys(action: Action, keymap: dict[str, str]) -> list[str]:
    """Return the keys that run an action, the main one first. `keymap` contains the remapped keys."""
    return [key_name(key) for key in keymap.get(action.id, action.keys).split(",")]


def key_of(action_id: str, keymap: dict[str, str]) -> str:
    """Return the main key of an action, as shown in a sentence."""
    return shown_keys(BY_ID[action_id], keymap)[0]


def help_of(action: Action, keymap: dict[str, str]) -> str:
    """Return the help of an action, with the keys as they are mapped."""
    return re.sub(r"\{(\w+)\}", lambda name: key_of(name.group(1), keymap), action.help)


VIEWER_REFUSAL = "This cookie has the role viewer."
OPERATOR_REMEDY = "Ask the node's owner for the operator's cookie: `bin/<name> cookie` prints it."


def refusal_of(action: Action, role: m.Role | None, *, armed: bool, keymap: dict[str, str]) -> str:
    """Return why the dashboard refuses an action; empty if it is allowed.

    `role` is that of the cookie, or None while it is unknown.
    """
    if action.role == "viewer":
        return ""
    if role == "viewer":
        reason = f" {action.operator_reason}" if action.operator_reason else ""
        return f"{VIEWER_REFUSAL} {action.title!r} needs the role operator.{reason} {OPERATOR_REMEDY}"
    if armed or action.changes_nothing:
        return ""
    return f"The dashboard is read-only. Press {key_of('arm', keymap)} to arm it before you {action.label}."


def footer_actions(view: str) -> list[Action]:
    """Return the actions in the footer of a view."""
    return [action for action in ACTIONS if view in action.views]


def command_line_of(action_id: str, subject: CommandSubject) -> str:
    """Return the equivalent command line; empty for an action that only concerns the screen."""
    action = BY_ID[action_id]
    return action.command_line(subject) if action.command_line is not None else ""
