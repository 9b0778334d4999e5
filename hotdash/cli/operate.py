"""Verbs that change a node: stage, upgrade, downgrade, commit, roll back, and the two for a single process."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

from hotdash.model.rehearsal_lines import unknown
from hotdash.model.units import plural
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client, Missed
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import tables
from .output import output_option, put, show
from .rehearsal_progress import told_of_rehearsals
from .session import find_process, node_options, with_client

Command = TypeVar("Command", bound=Callable[..., Any])


def reason_option(command: Command) -> Command:
    """`--reason TEXT`, for the node's audit."""
    return click.option("--reason", help="Why; it goes into the node's audit.")(command)


def yes_option(command: Command) -> Command:
    """`--yes`: do not ask."""
    return click.option("--yes", is_flag=True, help="Do not ask for confirmation.")(command)


class Seconds(click.FloatRange):
    """A number of seconds that has an end: neither nan nor inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


def wait_option(command: Command) -> Command:
    """`--wait SECONDS` for a safe moment."""
    return click.option(
        "--wait", type=Seconds(min=0), default=0.0, metavar="SECONDS", help="Wait so long for a safe moment."
    )(command)


def unrehearsed_option(command: Command) -> Command:
    """`--unrehearsed`: go, whatever a rehearsal can't tell."""
    return click.option(
        "--unrehearsed", is_flag=True, help="Go although the code_change of some processes can't be rehearsed."
    )(command)


@click.command()
@node_options
@click.argument("tarball", type=click.Path(path_type=Path))
@output_option
def stage(node: str, cookie_file: Path | None, tarball: Path, output: str) -> None:
    """Upload a release to NODE, which verifies and unpacks it. Nothing that runs is touched."""
    if not tarball.is_file():
        raise Refused(f"There is no file {tarball}; 'node-runtime build' makes a release's tarball.")
    release = with_client(node, cookie_file, lambda client: client.stage(tarball))
    show(release, output, lambda: f"{release.name} {release.vsn} is {release.status} on {node}.")


@click.command()
@node_options
@click.argument("vsn")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 when the plan would change something.")
@output_option
def plan(node: str, cookie_file: Path | None, vsn: str, detailed_exitcode: bool, output: str) -> None:
    """Say what going to VSN would do to NODE as it is now. Nothing is touched."""
    made = with_client(node, cookie_file, lambda client: _plan(client, vsn))
    show(made, output, lambda: tables.plan(made))
    if made.blockers:
        sys.exit(ExitCode.REFUSED)
    if detailed_exitcode and not made.nothing_to_do:
        sys.exit(10)


async def _plan(client: Client, vsn: str) -> m.Plan:
    async with told_of_rehearsals(client):
        return await client.plan(vsn)


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("There is no terminal to ask on; say --yes if you mean it.", ExitCode.USAGE)


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    _check_terminal()
    if not click.confirm(question, default=False):
        raise Refused("Nothing was done.", ExitCode.USAGE)


def _confirm_plan(made: m.Plan, node: str, direction: m.Direction, yes: bool, unrehearsed: bool) -> bool:
    """Ask whether the plan is wanted; answers whether what can't be rehearsed is wanted, too.

    Where something can't be known or put back, the release's version has to be typed.
    """
    unsure = unknown(made) > 0 and not unrehearsed
    if yes and unsure:
        number = plural(unknown(made), "process", "processes")
        raise Refused(f"The code_change of {number} can't be rehearsed; say --unrehearsed to go all the same.")
    if yes:
        return unrehearsed
    put(tables.plan(made))
    question = f"{direction}grade {node} from {made.from_vsn} to {made.to_vsn}"
    if not unsure and not made.irreversible:
        _confirm(f"{question}?", yes)
    else:
        _check_terminal()
        typed = click.prompt(f"{question}: type {made.to_vsn} to go on", default="", show_default=False)
        if typed.strip() != made.to_vsn:
            raise Refused("Nothing was done.", ExitCode.USAGE)
    return unrehearsed or unsure


async def _follow(client: Client, operation: str, output: str) -> m.Operation:
    """Print the phases as the node reports them; return the operation when it has ended."""
    seen = 0
    last: m.Operation | None = None
    ask = f"'hotdash results {client.address.name} {operation}'"
    try:
        async with told_of_rehearsals(client):
            async for last in client.follow(operation):
                for step in last.steps[seen:] if output == "table" else ():
                    put(tables.step(step))
                seen = len(last.steps)
    except asyncio.CancelledError:  # how asyncio.run hands on Ctrl-C
        raise Refused(
            f"Operation {operation} goes on without being watched; {ask} tells its outcome.",
            ExitCode.UNKNOWN_OUTCOME,
            operation,
        ) from None
    if last is None or last.outcome is None:
        raise Refused(f"The outcome is unknown; {ask} asks again.", ExitCode.UNKNOWN_OUTCOME, operation)
    return last


OUTCOME_CODES = {
    "installed": ExitCode.OK,
    "committed": ExitCode.OK,
    "reverted": ExitCode.CHANGED_OTHERWISE,
    "aborted": ExitCode.REFUSED,
    "put back": ExitCode.REFUSED,
    "restarted": ExitCode.CHANGED_OTHERWISE,
    "partly put back": ExitCode.CHANGED_OTHERWISE,
    "partly reverted": ExitCode.CHANGED_OTHERWISE,
}

LAST_WORDS = {
    "aborted": "Nothing was changed.",
    "put back": "It was put back: the node runs what it ran before.",
    "partly put back": "It was put back in part only: look at each process's result.",
    "partly reverted": "The node went back a part of the way: roll back again, or go on from where it is.",
    "reverted": "The node went back to what it ran before.",
    "restarted": "The node was restarted from its permanent release.",
}
"""What stderr says after an outcome that nobody wanted; the reason stands on stdout, with the operation."""


def _finish(operation: m.Operation, output: str, *, wanted: tuple[str, ...]) -> None:
    show(operation, output, lambda: tables.results(operation))
    if operation.outcome in wanted:
        return
    code = OUTCOME_CODES.get(operation.outcome or "", ExitCode.UNKNOWN_OUTCOME)
    raise Refused(LAST_WORDS.get(str(operation.outcome), f"It ended as {operation.outcome}."), code, operation.id)


def _install(
    direction: m.Direction,
    node: str,
    cookie_file: Path | None,
    vsn: str,
    yes: bool,
    wait: float,
    commit: bool,
    again: bool,
    reason: str | None,
    unrehearsed: bool,
    output: str,
) -> None:
    async def go(client: Client) -> m.Operation | None:
        made = await _plan(client, vsn)
        done: m.Operation | None = None
        if not made.nothing_to_do:
            _check(made, direction, node, wait)
            consent = _confirm_plan(made, node, direction, yes, unrehearsed)
            asked = m.Install(
                vsn=vsn,
                direction=direction,
                plan_id=made.id,
                wait=wait,
                reason=reason,
                unrehearsed=consent,
                again=again,
            )
            started = await client.request(methods.INSTALL, asked)
            done = await _follow(client, started.operation, output)
        elif not commit or client.info.vsn == client.info.permanent:
            show(made, output, lambda: f"{node} already runs {vsn}: nothing to do.")
            return None
        if commit and (done is None or done.outcome == "installed"):
            return await _commit_when_good(client, vsn, reason, output)
        return done

    done = with_client(node, cookie_file, go)
    if done is not None:
        _finish(done, output, wanted=("installed", "committed"))


async def _commit_when_good(client: Client, vsn: str, reason: str | None, output: str) -> m.Operation:
    """Stay until the health of `vsn` is good, and commit it; or until it has been taken back, which is returned."""
    seen = ""
    async with aclosing(client.events()) as events:
        async for event in events:
            if not isinstance(event, Missed) and event.kind not in ("release", "operation", "vitals"):
                continue
            listed = (await client.request(methods.RELEASES)).releases
            release = next((one for one in listed if one.vsn == vsn), None)
            health = release.health if release is not None else None
            if health is None or health.verdict == "bad":
                break
            if health.verdict == "good":
                return await client.request(methods.COMMIT, m.Commit(reason=reason))
            if health.finding != seen and output == "table":
                put(tables.text(f"on probation: {health.finding}", "fact"))
            seen = health.finding
    newest = (await client.request(methods.OPERATIONS, m.Limit(limit=1))).operations[-1]
    return await _follow(client, newest.id, output)


def _check(made: m.Plan, direction: m.Direction, node: str, wait: float) -> None:
    """Refuse a plan that leads the other way, or whose blockers waiting doesn't remove."""
    if made.direction != direction:
        other = "downgrade" if direction == "up" else "upgrade"
        way = f"From {made.from_vsn} to {made.to_vsn} is the way {made.direction}"
        raise Refused(f"{way}: 'hotdash {other} {node} {made.to_vsn}'.", ExitCode.USAGE)
    for blocker in made.blockers:
        if not (blocker.transient and wait):
            raise Refused(f"{blocker.reason}: {blocker.remedy}.")


def install_options(command: Command) -> Command:
    """What upgrade and downgrade have in common."""
    for option in (
        node_options,
        click.argument("vsn"),
        yes_option,
        wait_option,
        click.option("--commit", is_flag=True, help="Stay until its health is good, and make it permanent then."),
        click.option("--again", is_flag=True, help="Try a release once more that has failed on this node."),
        unrehearsed_option,
        reason_option,
        output_option,
    )[::-1]:
        command = option(command)
    return command


def _install_verb(verb: str, direction: m.Direction, about: str) -> click.Command:
    @click.command(verb, help=about)
    @install_options
    def command(**asked: Any) -> None:
        _install(direction, **asked)

    return command


upgrade = _install_verb("upgrade", "up", "Go up to VSN while NODE runs; it is on probation until committed.")
downgrade = _install_verb("downgrade", "down", "Go down to VSN while NODE runs, by the release's own way down.")


@click.command()
@node_options
@reason_option
@output_option
def commit(node: str, cookie_file: Path | None, reason: str | None, output: str) -> None:
    """Make the current release permanent: it boots after a crash from now on."""
    done = with_client(node, cookie_file, lambda client: client.request(methods.COMMIT, m.Commit(reason=reason)))
    _finish(done, output, wanted=("committed",))


@click.command()
@node_options
@yes_option
@wait_option
@unrehearsed_option
@reason_option
@output_option
def rollback(
    node: str, cookie_file: Path | None, yes: bool, wait: float, unrehearsed: bool, reason: str | None, output: str
) -> None:
    """Go back from the current release to the permanent one, while NODE runs."""

    async def go(client: Client) -> m.Operation:
        _confirm(f"Roll {node} back from {client.info.vsn} to {client.info.permanent}?", yes)
        asked = m.Rollback(wait=wait, reason=reason, unrehearsed=unrehearsed)
        started = await client.request(methods.ROLLBACK, asked)
        return await _follow(client, started.operation, output)

    _finish(with_client(node, cookie_file, go), output, wanted=("reverted",))


@click.command()
@node_options
@click.argument("vsn")
@output_option
def remove(node: str, cookie_file: Path | None, vsn: str, output: str) -> None:
    """Delete release VSN from the node's directory; neither the current nor the permanent one can go."""
    left = with_client(node, cookie_file, lambda client: client.request(methods.REMOVE, m.Vsn(vsn=vsn)))
    show(left.releases, output, lambda: tables.releases(left.releases))


def _touch(
    verb: str, node: str, cookie_file: Path | None, process: str, yes: bool, reason: str | None, output: str
) -> None:
    method = methods.RESTART_PROCESS if verb == "restart" else methods.KILL_PROCESS

    async def go(client: Client) -> m.ProcessInfo:
        snapshot = await client.request(methods.SNAPSHOT)
        target = find_process(snapshot, process)
        _confirm(f"{verb} {target.name or ''} <{target.pid}> ({target.module}) on {node}?", yes)
        await client.request(method, m.Target(pid=target.pid, boot_id=snapshot.info.boot_id, reason=reason))
        return target

    target = with_client(node, cookie_file, go)
    show(target, output, lambda: Text(f"{verb}: {target.name or target.module} <{target.pid}> on {node}."))


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME")
@yes_option
@reason_option
@output_option
def restart(**asked: Any) -> None:
    """Restart one process through its supervisor."""
    _touch("restart", **asked)


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME")
@yes_option
@reason_option
@output_option
def kill(**asked: Any) -> None:
    """Kill one process; its supervisor does what it does after a crash."""
    _touch("kill", **asked)


VERBS = (stage, plan, upgrade, downgrade, commit, rollback, remove, restart, kill)
