"""`hotdash upgrade` and `hotdash downgrade`: install a release while the node runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .commit import commit_when_healthy
from .confirmation import confirm_plan
from .operation_outcome import follow_operation, show_outcome
from .output import show
from .plan import make_plan
from .session import with_client
from .shared_options import (
    Command,
    node_options,
    output_option,
    reason_option,
    unrehearsed_option,
    wait_option,
    yes_option,
)


def again_option(command: Command) -> Command:
    """`--again`: retry a release that has failed on this node."""
    return click.option("--again", is_flag=True, help="Retry a release that has failed on this node.")(command)


def install_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--wait`, `--again`, `--unrehearsed` and `--reason`; `command` gets them as one argument `options`."""

    @wait_option
    @again_option
    @unrehearsed_option
    @reason_option
    @functools.wraps(command)
    def collect(*, wait: float, again: bool, unrehearsed: bool, reason: str | None, **others: Any) -> None:
        options = m.InstallOptions(wait=wait, again=again, unrehearsed=unrehearsed, reason=reason)
        command(options=options, **others)

    return collect


def _install_verb(verb: str, direction: m.Direction, about: str) -> click.Command:
    @click.command(verb, help=about)
    @node_options
    @click.argument("vsn")
    @yes_option
    @click.option(
        "--commit", is_flag=True, help="Wait until the release's health is good, then make the release permanent."
    )
    @install_options
    @output_option
    def install_verb(
        node: str,
        cookie_file: Path | None,
        vsn: str,
        yes: bool,
        commit: bool,
        options: m.InstallOptions,
        output: str,
    ) -> None:
        request = m.Install(vsn=vsn, direction=direction, **msgspec.structs.asdict(options))
        done = with_client(
            node, cookie_file, lambda client: _install(client, node, request, yes=yes, commit=commit, output=output)
        )
        if done is not None:
            show_outcome(done, output, wanted=("installed", "committed"))

    return install_verb


upgrade = _install_verb(
    "upgrade", "up", "Upgrade NODE to VSN while it runs; the release is on probation until committed."
)
downgrade = _install_verb(
    "downgrade", "down", "Downgrade NODE to VSN while it runs, by the appups' downgrade instructions."
)


async def _install(
    client: Client, node: str, request: m.Install, *, yes: bool, commit: bool, output: str
) -> m.Operation | None:
    """Make the plan, ask for confirmation, install, and follow the operation; return None if there is nothing to do."""
    plan = await make_plan(client, request.vsn)
    done: m.Operation | None = None
    if not plan.nothing_to_do:
        _check(plan, request, node)
        direction = request.direction or plan.direction
        consent = confirm_plan(plan, node, direction, yes=yes, unrehearsed=request.unrehearsed)
        planned = msgspec.structs.replace(request, plan_id=plan.id, unrehearsed=consent)
        started = await client.request(methods.INSTALL, planned)
        done = await follow_operation(client, started.operation, output)
    elif not commit or client.info.vsn == client.info.permanent:
        show(plan, output, lambda: f"{node} already runs {request.vsn}: nothing to do.")
        return None
    if commit and (done is None or done.outcome == "installed"):
        return await commit_when_healthy(client, request.vsn, request.reason, output)
    return done


def _check(plan: m.Plan, request: m.Install, node: str) -> None:
    """Raise Refused if the plan has the other direction or a blocker.

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
