"""The confirmation of a change, on the terminal or by `--yes`."""

from __future__ import annotations

import sys

import click

from hotdash.model.rehearsal_lines import unrehearsed as find_unrehearsed
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import tables
from .output import print_table


def confirm(question: str, yes: bool) -> None:
    """Ask `question` unless `yes`. Raises Refused when the operator declines, or when there is no terminal."""
    if yes:
        return
    _check_terminal()
    if not click.confirm(question, default=False):
        raise Refused("Nothing was done.", ExitCode.USAGE)


def confirm_plan(plan: m.Plan, node: str, direction: m.Direction, *, yes: bool, unrehearsed: bool) -> bool:
    """Ask whether to install the plan, unless `yes`.

    Return whether the operator consents to processes that can't be rehearsed. If something can't be
    rehearsed or undone, the operator has to type the release's version.
    """
    unknown = None if unrehearsed else find_unrehearsed(plan)
    if yes and unknown is not None:
        raise Refused(f"{unknown[0].upper()}{unknown[1:]} can't be rehearsed; pass --unrehearsed to proceed anyway.")
    if yes:
        return unrehearsed
    print_table(tables.plan(plan))
    question = f"{direction}grade {node} from {plan.from_vsn} to {plan.to_vsn}"
    if unknown is None and not plan.irreversible:
        confirm(f"{question}?", yes)
    else:
        _check_terminal()
        typed = click.prompt(f"{question}: type {plan.to_vsn} to proceed", default="", show_default=False)
        if typed.strip() != plan.to_vsn:
            raise Refused("Nothing was done.", ExitCode.USAGE)
    return unrehearsed or unknown is not None


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("There is no terminal to confirm on; pass --yes to proceed without confirmation.", ExitCode.USAGE)
