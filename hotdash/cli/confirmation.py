"""The confirmation of a change, on the terminal or by `--yes`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection

import click

from hotdash.model.plan_lines import needs_typed_consent
from hotdash.model.rehearsal_lines import unrehearsed as find_unrehearsed
from hotdash.model.releases.data_losses import known_names, lost_names
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import tables
from .output import print_table


def confirm(question: str, yes: bool) -> None:
    """Ask `question` unless `yes`. Raises Refused when the operator declines, or when there is no terminal."""
    if yes:
        return
    check_terminal()
    if not click.confirm(question, default=False):
        raise Refused("Nothing was done.", ExitCode.USAGE)


def confirm_at_terminal(question: str, yes: bool) -> None:
    """Ask `question` on a terminal, unless `yes`. Without a terminal, return without asking."""
    if not yes and _is_terminal():
        confirm(question, yes)


def confirm_by_name(question: str, vsn: str, yes: bool) -> None:
    """Let the operator type the version of the release, unless `yes`. Raises Refused as `confirm` does."""
    if yes:
        return
    check_terminal()
    typed = click.prompt(f"{question}: type {vsn} to proceed", default="", show_default=False)
    if typed.strip() != vsn:
        raise Refused("Nothing was done.", ExitCode.USAGE)


def confirm_plan(plan: m.Plan, node: str, direction: m.Direction, *, yes: bool, unrehearsed: bool) -> bool:
    """Ask whether to install the plan, unless `yes`.

    Return whether the operator consents to processes that can't be rehearsed. If something can't be rehearsed or
    undone, if data would be lost, or if the node would be blocked for long, the operator has to type the release's
    version.
    """
    unknown = None if unrehearsed else find_unrehearsed(plan)
    if yes and unknown is not None:
        raise Refused(f"{unknown[0].upper()}{unknown[1:]} can't be rehearsed; pass --unrehearsed to proceed anyway.")
    if yes:
        for sentence in (*plan.lost, *([plan.stall] if plan.stall else [])):
            click.echo(sentence, err=True)
        return unrehearsed
    print_table(tables.plan(plan))
    question = f"{direction}grade {node} from {plan.from_vsn} to {plan.to_vsn}"
    if unknown is None and not needs_typed_consent(plan):
        confirm(f"{question}?", yes)
    else:
        confirm_by_name(question, plan.to_vsn, yes)
    return unrehearsed or unknown is not None


def check_consent(plan: m.Plan, node: str, named: Collection[str], *, one_of_several: bool = False) -> None:
    """Raise Refused if an install would lose data whose name is not in `named`.

    Also raise Refused if `named` has a name that the plan does not have, unless the install is `one_of_several` that
    share the names.
    """
    lost = lost_names(plan)
    is_complete = len(plan.lost) <= len(lost) and not one_of_several
    if is_complete and (unknown := sorted({*named} - known_names(plan))):
        raise Refused(
            f"The plan of the {plan.direction}grade has no data with the name {', '.join(unknown)}. "
            "Correct this name after --lose, or leave it out."
        )
    if missing := [name for name in lost if name not in named]:
        options = " ".join(f"--lose {shlex.quote(name)}" for name in missing)
        raise Refused(
            f"The {plan.direction}grade would lose data: {', '.join(missing)}. "
            f"Keep the data in the way that the plan describes, or pass {options}."
        )
    if len(plan.lost) > len(lost):
        verb = f"'hotdash {plan.direction}grade {node} {plan.to_vsn}'"
        raise Refused(f"{plan.lost[-1]} Keep the data in the way that the plan describes, or run {verb} and confirm.")


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def check_terminal() -> None:
    """Raise Refused if there is no terminal to ask on."""
    if not _is_terminal():
        raise Refused("There is no terminal to confirm on; pass --yes to proceed without confirmation.", ExitCode.USAGE)
