"""Tables of a node: its status, states of processes, modules and releases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from hotdash.model.old_code_lines import draining_words, holder_lines
from hotdash.model.process_details import version
from hotdash.model.process_tree import title_of
from hotdash.model.releases.release_words import direction_words, health_words, running_release, status_words
from hotdash.model.releases.trust_lines import signature_words, trust_words
from hotdash.model.releases.worker_lines import worker_line
from hotdash.model.term_lines import term_lines
from hotdash.model.units import age, clock, duration, moment, plural, size
from node_runtime.protocol import messages as m
from node_runtime.protocol.run_directory import NodeRecord

from .layout import block, columns, key_values, line_text, now, pid, text


def nodes(records: Sequence[NodeRecord]) -> RenderableType:
    """Return the table of the nodes on this machine. The column `worker` appears if a node has several workers."""
    if not records:
        return text("No node runs on this machine. 'bin/<name> start' in a node's directory starts one.")
    several = any(record.worker > 1 for record in records)
    table = columns("node", *(("worker",) if several else ()), "release", "pid", "started", "directory")
    for record in records:
        release, started = f"{record.release} {record.vsn}", moment(record.started, now())
        worker = (str(record.worker),) if several else ()
        name, directory = text(record.name, "name"), text(record.directory)
        table.add_row(name, *worker, text(release), str(record.os_pid), started, directory)
    return table


def status(summary: m.NodeSummary) -> RenderableType:
    """Return the table of the node's identity, release, load and health."""
    info, vitals = summary.info, summary.vitals
    current = "permanent" if info.vsn == info.permanent else f"on probation; permanent is {info.permanent}"
    development = " (development node)" if info.development else ""
    messages = f"{plural(round(vitals.messages_per_second), 'message')}/s, {vitals.queued} queued"
    return key_values(
        ("node", Text.assemble(text(info.name, "name"), text(development, "warn"))),
        ("release", Text.assemble(text(f"{info.release} "), text(info.vsn, "strong"), text(f" ({current})"))),
        ("up", f"{age(vitals.uptime)}, since {moment(info.started, now())}"),
        ("accepts", text(trust_words(info.trust).text, trust_words(info.trust).tone)),
        ("runs as", f"process {info.os_pid}, Python {info.python}, node_runtime {info.runtime}"),
        ("processes", f"{vitals.processes} live, {plural(vitals.restarts, 'restart')}"),
        ("cost", f"{vitals.cpu_percent:.1f} % CPU, {size(vitals.rss)}, {plural(vitals.threads, 'thread')}"),
        ("event loop", f"lag {duration(vitals.loop_lag)}, {messages}"),
        ("directory", info.directory),
        ("operation", _operation(summary.operation)),
        *(("worker", line_text(worker_line(one, summary.workers[0]))) for one in summary.workers),
        *_health(summary),
        *(("problem", text(line, "bad")) for line in _problems(summary.releases)),
    )


def _operation(operation: m.Operation | None) -> str:
    if operation is None or operation.ended is not None:
        return "none running"
    return f"{operation.kind} of {operation.to_vsn} by {operation.by}: {operation.phase}"


def state(view: m.StateView) -> RenderableType:
    """Return the live state of one process."""
    process = view.process
    head = Text.assemble(
        text(title_of(process), "name"),
        text(f" {pid(process.pid)} {process.kind}, {process.module} {process.vsn}, {process.status}", "muted"),
    )
    parts: list[RenderableType] = [head]
    if process.state_name:
        parts.append(Text.assemble(text("in state ", "muted"), text(process.state_name, "strong")))
    parts.append(block(term_lines(view.state)))
    parts += [text(f"  at {line}", "muted") for line in view.stack]
    return Group(*parts)


def modules(listed: Sequence[m.ModuleInfo], old: Mapping[str, m.OldCode], names: Mapping[int, str]) -> RenderableType:
    """Return the table of the managed modules, and below it what keeps each old version.

    `names` has the titles of processes by pid.
    """
    table = columns("module", "application", "current", "old", "processes", "draining", right=("processes",))
    for module in listed:
        earlier = () if module.old_vsn is None else version(module.old_vsn, module.old_app_vsn)
        table.add_row(
            text(module.name, "name"),
            text(module.application),
            line_text(version(module.vsn, module.app_vsn)),
            line_text(earlier),
            str(module.processes or ""),
            line_text((draining_words(module),)),
        )
    parts: list[RenderableType] = [table]
    for found in old.values():
        parts.append(Text.assemble(Text("\nThe old version of "), text(found.module, "name"), text(" is kept by:")))
        parts.append(block(holder_lines(found, names)))
    return Group(*parts)


def releases(listed: Sequence[m.ReleaseInfo]) -> RenderableType:
    """Return the table of the releases."""
    table = columns("release", "vsn", "status", "direction", "applications", "staged", "signature")
    running = running_release(listed)
    for release in listed:
        ways = direction_words(release, None if running is None else running.vsn)
        status = line_text(status_words(release, now()))
        apps = ", ".join(f"{name} {vsn}" for name, vsn in release.apps)
        staged = moment(release.staged, now())
        signer = text(signature_words(release.signature), "warn" if release.signature.warning else "muted")
        table.add_row(text(release.name), text(release.vsn, "strong"), status, ways, text(apps), staged, signer)
    return Group(table, *(text(line, "bad") for line in _problems(listed)))


def _health(summary: m.NodeSummary) -> Iterator[tuple[str, Text]]:
    """Yield the health of the release that is on probation, if there is one."""
    for release in summary.releases:
        if (health := release.health) is not None:
            end = "restarts" if release.no_way_back else "rolls back"
            deadline = f"; the node {end} at {clock(release.probation_until)}" if release.probation_until else ""
            counted = f"{plural(health.restarts, 'restart')}, {plural(health.errors, 'error')}"
            details = f": {health.finding} ({counted}, event loop up to {duration(health.lag)} late){deadline}"
            yield "health", Text.assemble(line_text((health_words(health),)), text(details))


def _problems(listed: Sequence[m.ReleaseInfo]) -> Iterator[str]:
    """Yield a sentence for each release that is damaged, has failed, or is not trusted any more."""
    for release in listed:
        if release.no_way_back:
            yield release.no_way_back
        if release.signature.warning:
            yield release.signature.warning
        if release.damaged:
            yield release.damaged
        elif release.failed:
            yield f"{release.vsn} failed on this node: {release.failed.rstrip('.')}."
