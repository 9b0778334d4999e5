"""The verb `hotdash deploy`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group

from hotdash.cli import tables
from hotdash.cli.commit import commit_when_healthy
from hotdash.cli.operation_outcome import check_outcome
from hotdash.cli.plan import make_plan
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import (
    lose_option,
    named_losses,
    node_options,
    output_option,
    reason_option,
    unrehearsed_option,
    wait_option,
    yes_option,
)
from hotdash.cli.stage import UploadProgress
from hotdash.cli.upgrade import InstallManner, again_option, install_planned
from hotdash.model.releases.trust_lines import signature_words
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .local_build import (
    LocalRelease,
    build_line,
    content_hash,
    generate_line,
    missing_appups,
    read_release,
    run_node_runtime,
)
from .steps import DeploymentOutput


@dataclass(frozen=True, slots=True)
class _Deployment:
    """The options of a deployment: what is deployed to which node, and how."""

    node: str
    cookie_file: Path | None
    yes: bool
    lose: frozenset[str]
    plan_only: bool
    options: m.InstallOptions
    output: DeploymentOutput

    def line(self, verb: str, *words: str) -> list[str]:
        """Return the words of the command that does one step."""
        cookie = ["--cookie-file", str(self.cookie_file)] if self.cookie_file is not None else []
        return ["hotdash", verb, self.node, *words, *cookie]


@click.command()
@node_options
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--plan-only", is_flag=True, help="Stop after the plan; the release stays staged.")
@yes_option
@click.option(
    "--from",
    "previous",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The tarball of the release that NODE runs; by default the one in DIR/_build, if it is there.",
)
@lose_option
@wait_option
@again_option
@unrehearsed_option
@reason_option
@output_option
def deploy(
    node: str,
    cookie_file: Path | None,
    folder: Path,
    previous: Path | None,
    yes: bool,
    plan_only: bool,
    **how: Any,
) -> None:
    """Bring the project in DIR to NODE: build it, stage it, plan, ask, upgrade, wait for good health, and commit.

    If an application has no appup from the release that NODE runs, the appup is generated first, and written to DIR. If
    the project still has the version that NODE runs, but other content, the project first gets the next version. Each
    step is shown with the command that does only this step. With -o json, each step is one line.
    """
    output, lose = DeploymentOutput(how.pop("output") == "json"), named_losses(how.pop("lose"), yes=yes)
    deployment = _Deployment(node, cookie_file, yes, lose, plan_only, m.InstallOptions(**how), output)
    release = read_release(folder)
    running = with_client(node, cookie_file, _running_release)
    if running.vsn == release.vsn:
        release = _bumped(deployment, release, previous)
    tarball_before = previous or _tarball_of(release, running.vsn)
    if running.vsn != release.vsn:
        _generate(deployment, release, running, tarball_before)
    former = content_hash(release.tarball(release.vsn))
    tarball = _build(deployment, release, tarball_before)
    if former not in (None, content_hash(tarball)):
        with_client(node, cookie_file, lambda client: _remove_former(client, deployment, release.vsn))
    with_client(node, cookie_file, lambda client: _install(client, deployment, tarball))


async def _running_release(client: Client) -> m.ReleaseInfo:
    releases = (await client.request(methods.RELEASES)).releases
    return next(release for release in releases if release.vsn == client.info.vsn)


def _tarball_of(release: LocalRelease, running: str) -> Path | None:
    """Return the running release's tarball, against which appups are checked; None if no earlier build has left it."""
    tarball = release.tarball(running)
    return tarball if running != release.vsn and tarball.is_file() else None


def _bumped(deployment: _Deployment, release: LocalRelease, previous: Path | None) -> LocalRelease:
    """Give the project the next version if the node runs its present version, but with other content."""
    tarball = previous or release.tarball(release.vsn)
    if not tarball.is_file():
        return release
    line = generate_line(release, tarball, bump=True)
    said = run_node_runtime(line)
    bumped = read_release(release.folder)
    if bumped.vsn != release.vsn:
        deployment.output.begin(line)
        deployment.output.end("bump", line, {"vsn": bumped.vsn}, lambda: Group(*map(tables.text, said)))
    return bumped


def _generate(deployment: _Deployment, release: LocalRelease, running: m.ReleaseInfo, previous: Path | None) -> None:
    """Write the missing appups. Raises Refused if there is no tarball of the running release."""
    missing = missing_appups(release, dict(running.apps))
    if not missing:
        return
    if previous is None:
        raise Refused(
            f"{clip_path(missing[0])} is missing or older than its app.toml; to generate it, pass --from with the "
            f"tarball of {running.vsn}, which {deployment.node} runs."
        )
    line = generate_line(release, previous)
    deployment.output.begin(line)
    said = run_node_runtime(line)
    appups = [str(appup) for appup in missing if appup.exists()]
    deployment.output.end("generate", line, {"appups": appups}, lambda: Group(*map(tables.text, said)))


def _build(deployment: _Deployment, release: LocalRelease, previous: Path | None) -> Path:
    line = build_line(release, previous)
    deployment.output.begin(line)
    tarball = Path(run_node_runtime(line)[-1])
    deployment.output.end("build", line, {"tarball": str(tarball)}, lambda: tables.text(str(tarball)))
    return tarball


async def _remove_former(client: Client, deployment: _Deployment, vsn: str) -> None:
    """Remove the release from the node if it is a former build of `vsn` that was staged, but never installed.

    For example, the plan of the former build was refused, and the mistake is corrected now.
    """
    releases = (await client.request(methods.RELEASES)).releases
    if any(one.vsn == vsn and one.status == "unpacked" and one.failed is None for one in releases):
        line = deployment.line("remove", vsn)
        deployment.output.begin(line)
        left = await client.request(methods.REMOVE, m.ReleaseVsn(vsn=vsn))
        words = f"The former build of {vsn}, which has never run, is deleted from {deployment.node}."
        deployment.output.end("remove", line, left, lambda: tables.text(words))


async def _install(client: Client, deployment: _Deployment, tarball: Path) -> None:
    """Stage, plan, upgrade and commit, as far as the options and the operator allow. Raises Refused if a step fails."""
    staged = await _stage(client, deployment, tarball)
    plan = await _plan(client, deployment, staged.vsn)
    if deployment.plan_only:
        if plan.blockers:
            sys.exit(ExitCode.REFUSED)
        return
    verb = f"{plan.direction}grade"
    line = deployment.line(verb, staged.vsn)
    deployment.output.begin(line)
    mode = "json" if deployment.output.as_json else "table"
    lose = deployment.lose
    manner = InstallManner(deployment.node, deployment.yes, commit=False, hops=False, output=mode, lose=lose)
    request = m.Install(vsn=staged.vsn, direction=plan.direction, **msgspec.structs.asdict(deployment.options))
    if not plan.nothing_to_do:
        done = await install_planned(client, request, plan, manner)
        if done is not None:
            deployment.output.end(verb, line, done, lambda: tables.results(done))
            check_outcome(done, ("installed", "committed"))
    await _commit(client, deployment, staged.vsn, mode)


async def _stage(client: Client, deployment: _Deployment, tarball: Path) -> m.ReleaseInfo:
    line = deployment.line("stage", str(tarball))
    deployment.output.begin(line)
    staged = await client.stage(tarball, UploadProgress().show)
    words = f"{staged.name} {staged.vsn} is {staged.status} on {deployment.node}, {signature_words(staged.signature)}."
    deployment.output.end("stage", line, staged, lambda: tables.text(words))
    return staged


async def _plan(client: Client, deployment: _Deployment, vsn: str) -> m.Plan:
    line = deployment.line("plan", vsn)
    deployment.output.begin(line)
    plan = await make_plan(client, vsn)
    is_shown = deployment.yes or deployment.plan_only or plan.blockers or plan.nothing_to_do
    deployment.output.end(
        "plan", line, plan, (lambda: tables.plan(plan)) if is_shown else None
    )  # else the question shows it
    return plan


async def _commit(client: Client, deployment: _Deployment, vsn: str, mode: str) -> None:
    """Commit the release when its health is good, unless it is permanent already."""
    releases = {release.vsn: release for release in (await client.request(methods.RELEASES)).releases}
    if releases[vsn].status == "permanent":
        return
    line = deployment.line("commit")
    deployment.output.begin(line)
    done = await commit_when_healthy(client, vsn, deployment.options.reason, mode, yes=deployment.yes)
    deployment.output.end("commit", line, done, lambda: tables.results(done))
    check_outcome(done, ("committed",))
