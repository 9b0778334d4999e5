"""Tables of a node: its status, tree, processes, states, modules and releases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from hotdash.model.operation_lines import VERDICT_TONES
from hotdash.model.process_tree import TreeNode, build_tree, title_of
from hotdash.model.term_lines import term_lines
from hotdash.model.trust_lines import signature_words, trust_words
from hotdash.model.units import age, clock, duration, moment, plural, size
from node_runtime.protocol import messages as m
from node_runtime.protocol.run_directory import NodeRecord

from .layout import block, columns, key_values, now, pid, status_text, text


def nodes(records: Sequence[NodeRecord]) -> RenderableType:
    """Return the table of the nodes on this machine."""
    if not records:
        return text("No node runs on this machine. 'bin/<name> start' in a node's directory starts one.")
    table = columns("node", "release", "pid", "started", "directory")
    for record in records:
        release, started = f"{record.release} {record.vsn}", moment(record.started, now())
        table.add_row(text(record.name, "name"), text(release), str(record.os_pid), started, text(record.directory))
    return table


def status(snapshot: m.Snapshot) -> RenderableType:
    """Return the table of the node's identity, release, load and health."""
    info, vitals = snapshot.info, snapshot.vitals
    current = "permanent" if info.vsn == info.permanent else f"on probation; permanent is {info.permanent}"
    messages = f"{plural(round(vitals.messages_per_second), 'message')}/s, {vitals.queued} queued"
    return key_values(
        ("node", text(info.name, "name")),
        ("release", Text.assemble(text(f"{info.release} "), text(info.vsn, "strong"), text(f" ({current})"))),
        ("up", f"{age(vitals.uptime)}, since {moment(info.started, now())}"),
        ("accepts", text(trust_words(info.trust).text, trust_words(info.trust).tone)),
        ("runs as", f"process {info.os_pid}, Python {info.python}, node_runtime {info.runtime}"),
        ("processes", f"{len(snapshot.processes)} live, {plural(vitals.restarts, 'restart')}"),
        ("cost", f"{vitals.cpu_percent:.1f} % CPU, {size(vitals.rss)}, {plural(vitals.threads, 'thread')}"),
        ("event loop", f"lag {duration(vitals.loop_lag)}, {messages}"),
        ("directory", info.directory),
        ("operation", _operation(snapshot.operation)),
        *_health(snapshot),
        *(("problem", text(line, "bad")) for line in _problems(snapshot.releases)),
    )


def _operation(operation: m.Operation | None) -> str:
    if operation is None or operation.ended is not None:
        return "none running"
    return f"{operation.kind} of {operation.to_vsn} by {operation.by}: {operation.phase}"


def tree(snapshot: m.Snapshot) -> RenderableType:
    """Return the supervision tree, applications first."""
    root = Tree(text(snapshot.info.name, "strong"), guide_style="dim")
    _add_children(root, build_tree(snapshot))
    return root


def _add_children(parent: Tree, children: Iterable[TreeNode]) -> None:
    for node in children:
        _add_children(parent.add(_label(node)), node.children)


def _label(node: TreeNode) -> Text:
    if node.process is not None:
        return _process_label(node.process)
    if node.child is not None:
        return Text.assemble(text(node.title, "muted"), " ", text(node.child.status, "warn"))
    vsn = f" {node.application.vsn}" if node.application is not None else ""
    return Text.assemble(text(node.title, "strong"), text(vsn, "muted"))


def _process_label(process: m.ProcessSummary) -> Text:
    label = Text.assemble(text(title_of(process), "name"), text(f" {pid(process.pid)} ", "muted"), text(process.kind))
    if process.strategy:
        label.append(text(f" {process.strategy} {process.intensity or ''}".rstrip(), "muted"))
    if process.state_name:
        label.append(text(f" {process.state_name}", "strong"))
    if process.module:
        label.append(text(f"  {process.module} {process.vsn}", "muted"))
    if process.status not in ("idle", "running"):
        label.append(text(f" {process.status}", "bad"))
    return label


def processes(snapshot: m.Snapshot) -> RenderableType:
    """Return the table of the live processes."""
    table = columns("pid", "name", "kind", "module", "status", "mail", "handled", right=("mail", "handled"))
    for process in snapshot.processes:
        table.add_row(
            pid(process.pid),
            text(process.name or process.child_id or "", "name"),
            process.kind,
            text(process.module),
            status_text(process.status),
            str(process.mailbox),
            str(process.messages),
        )
    return table


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


def modules(snapshot: m.Snapshot) -> RenderableType:
    """Return the table of the managed modules with their current and old versions."""
    table = columns("module", "application", "current", "old", "processes", "run old code", right=("processes",))
    for module in snapshot.modules:
        old = "" if module.old_vsn is None else f"{module.old_vsn} ({module.old_app_vsn})"
        table.add_row(
            text(module.name, "name"),
            text(f"{module.application} {module.app_vsn}"),
            text(module.vsn),
            text(old, "muted"),
            str(module.processes or ""),
            text(" ".join(pid(number) for number in module.old_pids), "warn"),
        )
    return table


def releases(listed: Sequence[m.ReleaseInfo]) -> RenderableType:
    """Return the table of the releases."""
    table = columns("release", "vsn", "status", "from here", "applications", "staged", "signature")
    for release in listed:
        ways = " ".join(way for way, there in (("up", release.up), ("down", release.down)) if there)
        status = status_text(release.status)
        if release.probation_until:
            status.append(text(f" until {clock(release.probation_until)}", "muted"))
        if release.damaged or release.failed:
            status.append(text(", damaged" if release.damaged else ", failed", "bad"))
        apps = ", ".join(f"{name} {vsn}" for name, vsn in release.apps)
        staged = moment(release.staged, now())
        signer = text(signature_words(release.signature), "warn" if release.signature.warning else "muted")
        table.add_row(text(release.name), text(release.vsn, "strong"), status, ways, text(apps), staged, signer)
    return Group(table, *(text(line, "bad") for line in _problems(listed)))


def _health(snapshot: m.Snapshot) -> Iterator[tuple[str, Text]]:
    """Yield the health of the release that is on probation, if there is one."""
    for release in snapshot.releases:
        if (health := release.health) is not None:
            end = "restarts" if release.no_way_back else "reverts"
            deadline = f"; the node {end} at {clock(release.probation_until)}" if release.probation_until else ""
            counted = f"{plural(health.restarts, 'restart')}, {plural(health.errors, 'error')}"
            details = f": {health.finding} ({counted}, event loop up to {duration(health.lag)} late){deadline}"
            yield "health", Text.assemble(text(health.verdict, VERDICT_TONES[health.verdict]), text(details))


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
