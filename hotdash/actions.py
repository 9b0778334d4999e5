"""The registry of the operator's actions.

Keymap, footer, help, palette and the equivalent command lines use this registry. A keymap file refers to actions by id.
An action with the role operator needs an armed dashboard, unless the action changes nothing. The node checks the role,
too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from node_runtime.protocol import messages as m

from .action_commands import (
    CommandSubject,
    build_command_line,
    cold_command,
    install_command,
    one_process_command,
    overview_command,
    process_command,
    reason_words,
    results_command,
    rollback_command,
    timed_process_command,
)

Group = Literal["Views", "Processes", "Releases", "Dashboard"]


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


VIEWS = ("overview", "processes", "modules", "releases", "upgrades", "events", "logs")

ACTIONS: tuple[Action, ...] = (
    Action(
        "view_overview", "1", "Overview", "Overview",
        "The supervision tree, and the live state of the selected process.", "Views", command_line=overview_command,
    ),
    Action(
        "view_processes", "2", "Processes", "Processes",
        "All processes, sorted and filtered by the node.", "Views",
        command_line=lambda subject: build_command_line("ps", subject),
    ),
    Action(
        "view_modules", "4", "Modules", "Modules",
        "Every module with its current and old version, and what keeps the old version.", "Views",
        command_line=lambda subject: build_command_line("modules", subject),
    ),
    Action(
        "view_releases", "5", "Releases", "Releases",
        "The releases in the node's directory: stage, plan, upgrade, commit, roll back.", "Views",
        command_line=lambda subject: build_command_line("releases", subject),
    ),
    Action(
        "view_upgrades", "6", "Upgrades", "Upgrades",
        "The operations on this node, by phase and by process.", "Views", command_line=results_command,
    ),
    Action(
        "view_events", "7", "Events", "Events",
        "The events that the node reports, newest last.", "Views",
        command_line=lambda subject: build_command_line("events", subject),
    ),
    Action(
        "view_logs", "8", "Logs", "Logs",
        "The log records of level WARNING and higher, newest last.", "Views",
        command_line=lambda subject: build_command_line("events", subject),
    ),
    Action(
        "trouble", "w", "wrong now", "Go to the next trouble",
        "Goes to the next current problem: opens the view that shows it, and selects what it is about.", "Views",
        views=("overview",),
    ),
    Action(
        "restart", "R", "restart", "Restart the selected process",
        "Ends the process; its supervisor starts it again. Its state is lost.", "Processes",
        role="operator", views=("overview", "processes", "process"), command_line=process_command("restart"),
    ),
    Action(
        "kill", "K", "kill", "Kill the selected process",
        "Ends the process at once, without calling its terminate. "
        "If it is a supervisor, all processes below it end, too.",
        "Processes",
        role="operator", views=("overview", "processes", "process"), command_line=process_command("kill"),
    ),
    Action(
        "open_process", "3", "process", "Open the selected process",
        "Shows the process in depth: state, mailbox, timeouts, waits, relations, stack, last exits, messages.",
        "Processes", views=("overview", "processes"), command_line=one_process_command("process"),
    ),
    Action(
        "log_process", "L", "log", "Begin or end a log of the process",
        "Keeps the newest 50 messages and answers of the process, without secrets.", "Processes",
        role="operator", views=("process",), command_line=one_process_command("log"),
    ),
    Action(
        "trace_process", "F", "trace", "Trace the process for some seconds",
        "Records each message and answer for some seconds, at most 20 a second.", "Processes",
        role="operator", views=("process",), command_line=timed_process_command("trace"),
    ),
    Action(
        "suspend_process", "Z", "suspend", "Suspend the process, or resume it",
        "The process handles no messages until it is resumed or the time has passed.", "Processes",
        role="operator", views=("process",), command_line=timed_process_command("suspend", "--yes"),
    ),
    Action(
        "report", "b", "bug report", "Copy a bug report as Markdown",
        "Copies, as Markdown, everything that this screen shows, for example to file an issue.", "Processes",
        views=("process", "ended process"), command_line=one_process_command("process", "--report"),
    ),
    Action(
        "report_json", "J", "as JSON", "Copy a bug report as JSON",
        "Copies the report as JSON, with every field, for programs.", "Processes",
        command_line=one_process_command("process", "-o", "json"),
    ),
    Action(
        "previous_process", "left_square_bracket", "back", "Go to the process visited before",
        "Goes back to the process that was open before.", "Processes", views=("process", "ended process"),
    ),
    Action(
        "next_process", "right_square_bracket", "forth", "Go to the process visited after",
        "Undoes {previous_process}. From a process that has ended, goes to its successor.",
        "Processes", views=("process", "ended process"),
    ),
    Action(
        "mark_state", "s", "since now", "Show changes from now on",
        "Marks the parts of the state that change from now on, not those that have changed before.", "Processes",
        views=("process",),
    ),
    Action(
        "open_module", "v", "view", "Open the selected module",
        "Shows the module's source, the difference to its old version, and the stacks of processes in the old version.",
        "Processes",
        role="operator", views=("modules",), changes_nothing=True,
        command_line=lambda subject: build_command_line("modules", subject),
        operator_reason="Only operators can read the source of a module.",
    ),
    Action(
        "purge", "E", "end old code", "End the old code of the selected module",
        "Kills the processes and cancels the tasks that run or hold the old version of the module.",
        "Processes",
        role="operator", views=("modules", "module"),
        command_line=lambda subject: build_command_line("purge", subject, subject.module or "MODULE", "--yes"),
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
        changes_nothing=True, operator_reason="A plan executes code of the release in a copy of the node.",
    ),
    Action(
        "upgrade", "U", "upgrade", "Upgrade to the selected release",
        "Replaces the code of the running node with the code of a newer release.", "Releases",
        role="operator", views=("releases", "plan"), command_line=install_command("upgrade"),
    ),
    Action(
        "downgrade", "D", "downgrade", "Downgrade to the selected release",
        "Returns the running node to an older release, by the appups' downgrade instructions.", "Releases",
        role="operator", views=("releases", "plan"), command_line=install_command("downgrade"),
    ),
    Action(
        "cold", "C", "restart into", "Restart into the selected release",
        "Restarts the node into the selected release, on probation. The states of all processes are lost.", "Releases",
        role="operator", views=("releases", "plan"), command_line=cold_command,
    ),
    Action(
        "commit", "P", "commit", "Make the current release permanent",
        "Ends the probation: from now on the node boots this release when it is restarted.", "Releases",
        role="operator", views=("releases", "upgrades", "operation"),
        command_line=lambda subject: build_command_line("commit", subject, *reason_words(subject.options)),
    ),
    Action(
        "rollback", "X", "roll back", "Roll back to the permanent release",
        "Returns to the permanent release; code_change converts the present states of the processes.", "Releases",
        role="operator", views=("releases", "upgrades", "operation"), command_line=rollback_command,
    ),
    Action(
        "abort", "A", "abort", "Abort the running operation",
        "Ends an operation that still prepares or waits and has changed nothing. After a change, use {rollback}.",
        "Releases",
        role="operator", views=("upgrades", "operation"),
        command_line=lambda subject: build_command_line("abort", subject, *reason_words(subject.options)),
    ),
    Action(
        "approve", "Y", "approve", "Approve the selected release",
        "Approves the install of a release that another person has staged, on a node whose installs need approvals.",
        "Releases",
        role="operator", views=("releases", "plan"),
        command_line=lambda subject: build_command_line(
            "approve", subject, subject.vsn or "VSN", *reason_words(subject.options)
        ),
    ),
    Action(
        "remove", "M", "remove", "Remove the selected release",
        "Deletes a release that is neither running nor permanent from the node's directory.", "Releases",
        role="operator", views=("releases",),
        command_line=lambda subject: build_command_line("remove", subject, subject.vsn or "VSN", "--yes"),
    ),
    Action(
        "arm", "exclamation_mark", "arm", "Arm, or return to read-only",
        "Allows actions that change the node, for 15 minutes; the header is red meanwhile. "
        "The node also checks the role of your cookie.",
        "Dashboard",
        views=(*VIEWS, "process", "module", "plan", "operation"),
    ),
    Action(
        "filter", "slash", "filter", "Filter this view",
        "Shows only rows that contain every word; the tree also shows their ancestors. {back} clears the filter.",
        "Dashboard",
        views=(*VIEWS, "process", "ended process", "operation"),
    ),
    Action(
        "copy", "c", "copy", "Copy the command line of this view",
        "Copies the hotdash command that prints the selected row or, if no row is selected, what this view shows.",
        "Dashboard",
        views=(*VIEWS, "plan", "operation"),
    ),
    Action(
        "columns", "t", "columns", "Choose the columns of the processes",
        "Shows and hides columns of the list of processes; the choice is remembered.", "Dashboard",
        views=("processes",),
    ),
    Action(
        "export", "e", "export", "Export what this view shows",
        "Writes the rows, or a picture of the screen, into a file: .txt, .csv, .json or .svg.", "Dashboard",
    ),
    Action(
        "pause", "z", "pause", "Pause the display, or resume it",
        "The screen stops changing; the connection stays open.", "Dashboard", views=("events", "logs"),
    ),
    Action(
        "refresh", "ctrl+r", "refresh", "Read the node's state now",
        "Reads the node's state now, and reconnects at once if the connection was lost.", "Dashboard",
    ),
    Action(
        "next_node", "greater_than_sign", "next node", "Go to the next node",
        "Shows the next node of those that `hotdash connect NODE NODE` has opened.",
        "Dashboard",
    ),
    Action(
        "previous_node", "less_than_sign", "previous node", "Go to the previous node",
        "Shows the previous node of those that `hotdash connect NODE NODE` has opened.",
        "Dashboard",
    ),
    Action(
        "theme", "T", "theme", "Change the theme", "Offers light, dark, and the terminal's own colours.", "Dashboard",
    ),
    Action(
        "suspend", "ctrl+z", "suspend", "Suspend hotdash", "Returns to the shell; its command fg resumes hotdash.",
        "Dashboard",
    ),
    Action(
        "help", "question_mark,f1", "help", "Help", "Shows every key and what it does.", "Dashboard",
        views=(*VIEWS, "process", "ended process", "module", "plan", "operation"),
    ),
    Action(
        "palette", "colon,ctrl+p", "palette", "Command palette", "Finds an action by its name.", "Dashboard",
        views=VIEWS,
    ),
    Action(
        "back", "escape", "back", "Back", "Closes the screen or clears the filter. It never quits.", "Dashboard",
        views=("process", "ended process", "module", "plan", "operation"),
    ),
    Action(
        "leave", "q", "leave", "Back, and from a view: quit", "Closes the screen; in a view, asks whether to quit.",
        "Dashboard",
    ),
    Action("quit", "ctrl+q", "quit", "Quit", "Quits at once. The node and a running operation continue.", "Dashboard",
           views=VIEWS),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}

_KEY_NAMES = {
    "slash": "/", "exclamation_mark": "!", "question_mark": "?", "colon": ":", "escape": "esc", "space": "space",
    "asterisk": "*", "left": "←", "right": "→", "up": "↑", "down": "↓", "minus": "-", "plus": "+",
    "left_square_bracket": "[", "right_square_bracket": "]", "less_than_sign": "<", "greater_than_sign": ">",
    "full_stop": ".", "comma": ",",
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
    """Return the help of an action, with the keys that the keymap gives to the actions in the text."""
    return re.sub(r"\{(\w+)\}", lambda name: key_of(name.group(1), keymap), action.help)


def palette_entries(keymap: dict[str, str], role: m.Role | None) -> Iterator[tuple[str, str, str]]:
    """Yield the actions for the command palette: the title with the key, the help, and the id."""
    for action in ACTIONS:
        if action.id not in ("palette", "back", "leave"):
            needs = "Needs the role operator. " if role == "viewer" and action.role == "operator" else ""
            yield f"{action.title}  {key_of(action.id, keymap)}", f"{needs}{help_of(action, keymap)}", action.id


VIEWER_REFUSAL = "This cookie has the role viewer."
OPERATOR_REMEDY = "Ask the node's owner for the operator's cookie: `bin/<name> cookie` prints it."


def refusal_of(action: Action, role: m.Role | None, *, armed: bool, keymap: dict[str, str]) -> str:
    """Return the reason why the dashboard refuses an action; empty if the action is allowed.

    `role` is the role of the cookie, or None while that role is unknown.
    """
    if action.role == "viewer":
        return ""
    if role == "viewer":
        reason = f" {action.operator_reason}" if action.operator_reason else ""
        return f"{VIEWER_REFUSAL} {action.title!r} needs the role operator.{reason} {OPERATOR_REMEDY}"
    if armed or action.changes_nothing:
        return ""
    return f"The dashboard is read-only. Press {key_of('arm', keymap)} to arm it before you {action.label}."


def open_process_first(keymap: dict[str, str]) -> str:
    """Return the refusal of an action that needs the screen of a process."""
    return f"Open a process first: {key_of('open_process', keymap)}."


def footer_actions(view: str) -> list[Action]:
    """Return the actions in the footer of a view."""
    return [action for action in ACTIONS if view in action.views]


def command_line_of(action_id: str, subject: CommandSubject) -> str:
    """Return the equivalent command line; empty for an action that only concerns the screen."""
    action = BY_ID[action_id]
    return action.command_line(subject) if action.command_line is not None else ""
