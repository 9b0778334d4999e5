"""`hotdash upgrade` and `hotdash downgrade`: install a release while the node runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from hotdash.model.styled_text import Tone
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import tables
from .cold import install_cold
from .commit import commit_when_healthy, follow_newest, wait_until_healthy
from .confirmation import check_consent, confirm_plan
from .operation_outcome import check_outcome, follow_operation, show_outcome
from .output import print_table, show
from .plan import make_plan
from .session import with_client
from .shared_options import (
    Command,
    lose_option,
    named_losses,
    node_options,
    output_option,
    reason_option,
    unrehearsed_option,
    wait_option,
    yes_option,
)
from .shell.values import complete_versions

INSTALLED = ("installed", "committed")
"""The outcomes of a successful install."""


@dataclass(frozen=True, slots=True)
class InstallManner:
    """How a verb installs a release: on which node, with which output, and with which of --yes, --commit and --hops.

    With `yes`, `lose` has the names of the data that the install may lose; if it is None, `yes` consents to all losses.
    """

    node: str
    yes: bool
    commit: bool
    hops: bool
    output: str
    lose: frozenset[str] | None = frozenset()


def again_option(command: Command) -> Command:
    """Add `--again`: retry a release that has failed on this node."""
    return click.option("--again", is_flag=True, help="Retry a release that has failed on this node.")(command)


def install_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--wait`, `--again`, `--unrehearsed`, `--cold` and `--reason`; `command` gets them as `options`."""

    @click.option(
        "--cold", is_flag=True, help="Restart NODE into VSN, on probation; the states of all processes are lost."
    )
    @wait_option
    @again_option
    @unrehearsed_option
    @reason_option
    @functools.wraps(command)
    def collect(*, wait: float, again: bool, unrehearsed: bool, cold: bool, reason: str | None, **others: Any) -> None:
        options = m.InstallOptions(wait=wait, again=again, unrehearsed=unrehearsed, cold=cold, reason=reason)
        command(options=options, **others)

    return collect


def manner_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--yes`, `--lose`, `--commit`, `--hops` and `-o`; `command` gets them and the node as one argument, `how`."""

    @yes_option
    @lose_option
    @click.option(
        "--commit", is_flag=True, help="Wait until the release's health is good, then make the release permanent."
    )
    @click.option("--hops", is_flag=True, help="If no appup leads to VSN directly, install the releases between, too.")
    @output_option
    @functools.wraps(command)
    def collect(
        *, node: str, yes: bool, lose: tuple[str, ...], commit: bool, hops: bool, output: str, **others: Any
    ) -> None:
        command(how=InstallManner(node, yes, commit, hops, output, named_losses(lose, yes=yes)), **others)

    return collect


def _install_verb(verb: str, direction: m.Direction, about: str) -> click.Command:
    @click.command(verb, help=about)
    @node_options
    @click.argument("vsn", shell_complete=complete_versions)
    @manner_options
    @install_options
    def install_verb(cookie_file: Path | None, vsn: str, how: InstallManner, options: m.InstallOptions) -> None:
        request = m.Install(vsn=vsn, direction=direction, **msgspec.structs.asdict(options))
        if direction == "up" and not how.lose:
            # The author of the newer release has seen what it drops; nobody has decided what an older one lacks.
            how = replace(how, lose=None)
        if request.cold:
            if how.lose:
                raise click.UsageError("--cold loses all states and all values in modules; leave out --lose.")
            booted = install_cold(how.node, cookie_file, request, yes=how.yes, commit=how.commit, output=how.output)
            show_outcome(booted, how.output, wanted=INSTALLED)
            return

        async def run(client: Client) -> m.Operation | None:
            plan = await make_plan(client, vsn)
            if how.hops and plan.hops and plan.direction == direction:
                return await _install_hops(client, request, plan, how)
            return await install_planned(client, request, plan, how)

        done = with_client(how.node, cookie_file, run)
        if done is not None:
            show_outcome(done, how.output, wanted=INSTALLED)

    return install_verb


upgrade = _install_verb(
    "upgrade", "up", "Upgrade NODE to VSN while it runs; the release is on probation until committed."
)
downgrade = _install_verb(
    "downgrade", "down", "Downgrade NODE to VSN while it runs, by the appups' downgrade instructions."
)


async def install_planned(client: Client, request: m.Install, plan: m.Plan, how: InstallManner) -> m.Operation | None:
    """Ask for confirmation of the plan, install, and follow the operation; with `how.commit`, commit the release.

    Return the last operation, or None if there is nothing to do.
    """
    done: m.Operation | None = None
    if not plan.nothing_to_do:
        _check(plan, request, how.node)
        if how.yes and how.lose is not None:
            check_consent(plan, how.node, how.lose, one_of_several=how.hops)
        direction = request.direction or plan.direction
        consent = confirm_plan(plan, how.node, direction, yes=how.yes, unrehearsed=request.unrehearsed)
        planned = msgspec.structs.replace(request, plan_id=plan.id, unrehearsed=consent)
        started = await client.request(methods.INSTALL, planned)
        done = await follow_operation(client, started.operation, how.output)
    elif not how.commit or client.info.vsn == client.info.permanent:
        show(plan, how.output, lambda: f"{how.node} already runs {request.vsn}: nothing to do.")
        return None
    if how.commit and (done is None or done.outcome == "installed"):
        if done is not None and how.output == "table":
            print_table(tables.results(done))  # the result of the commit names no process
        return await commit_when_healthy(client, request.vsn, request.reason, how.output, yes=how.yes)
    return done


async def _install_hops(client: Client, request: m.Install, route: m.Plan, how: InstallManner) -> m.Operation | None:
    """Install the releases `route.hops` one after the other; return the last operation without printing it.

    Each install begins when the previous release's health is good. The first failure ends the sequence.
    """
    way = " -> ".join((route.from_vsn, *route.hops))
    _print(how, f"No appup leads from {route.from_vsn} to {request.vsn} directly. The steps are {way}.", "strong")
    done: m.Operation | None = None
    for number, vsn in enumerate(route.hops, 1):
        step = f"Step {number} of {len(route.hops)}, to {vsn}"
        _print(how, f"{step}:", "strong")
        try:
            plan = await make_plan(client, vsn)
            if how.yes and how.output == "table":
                print_table(tables.plan(plan))  # without `--yes`, the question shows the plan
            done = await install_planned(client, msgspec.structs.replace(request, vsn=vsn), plan, how)
            if done is not None:
                check_outcome(done, INSTALLED)
            if number < len(route.hops):
                if done is not None:
                    show(done, how.output, lambda done=done: tables.results(done))  # type: ignore[misc]  # bound now
                if not how.commit and not await wait_until_healthy(client, vsn, how.output):
                    check_outcome(await follow_newest(client, how.output), INSTALLED)
        except Refused as refused:
            raise await _stopped(client, refused, step, number, how) from None
    return done


def _print(how: InstallManner, text: str, tone: Tone) -> None:
    if how.output == "table":
        print_table(tables.text(text, tone))


async def _stopped(client: Client, refused: Refused, step: str, number: int, how: InstallManner) -> Refused:
    """Return `refused` with a sentence that names the running release, as the error of a sequence of installs."""
    code = refused.code
    if number > 1 and code != ExitCode.UNKNOWN_OUTCOME:
        code = ExitCode.CHANGED_OTHERWISE
    try:
        info = (await client.request(methods.SUMMARY)).info
        where = f"{how.node} runs {info.vsn}, and {info.permanent} is permanent"
    except Refused:
        where = f"'hotdash status {how.node}' shows which release it runs"
    return Refused(f"{refused.sentence} {step}, was the last step: {where}.", code, refused.operation)


def _check(plan: m.Plan, request: m.Install, node: str) -> None:
    """Raise Refused if the plan has a blocker, or if its direction is not the requested one.

    A temporary blocker is accepted if the request waits.
    """
    if plan.direction != request.direction:
        verb = f"{plan.direction}grade"
        raise Refused(
            f"Going from {plan.from_vsn} to {plan.to_vsn} is {'an' if plan.direction == 'up' else 'a'} {verb}; "
            f"run 'hotdash {verb} {node} {plan.to_vsn}'.",
            ExitCode.USAGE,
        )
    for blocker in plan.blockers:
        if not (blocker.transient and request.wait):
            raise Refused(f"{blocker.reason}: {blocker.remedy}.")


VERBS = (upgrade, downgrade)
