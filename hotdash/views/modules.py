"""View 4: every module with its current and its old version, and who still runs the old one."""

from __future__ import annotations

from textual.app import ComposeResult

from hotdash.model.process_details import version
from hotdash.model.process_tree import title_of
from hotdash.model.styled_text import Line, Span, line, say
from hotdash.model.units import age, plural
from hotdash.model.view_state import Picture, Wants
from hotdash.widgets.bars import Facts
from hotdash.widgets.table import Column, Row, Table
from hotdash.widgets.text_lines import Lines
from node_runtime.protocol import messages as m

from .base import View

_COLUMNS = (
    Column("module", least=16, most=60, grow=True),
    Column("current", most=24),
    Column("old", most=24, rank=1),
    Column("draining", most=24, rank=2),
    Column("processes", rank=3, right=True),
    Column("application", most=20, rank=4),
    Column("loaded", rank=5, right=True),
)


class Modules(View):
    """The table above, the selected module below."""

    DEFAULT_CSS = """
    Modules {
        & Table { height: 1fr; }
        & Lines { height: 7; padding: 0 1; border-top: solid $foreground 20%; }
    }
    .-low Modules Lines { height: 5; }
    """

    def __init__(self) -> None:
        super().__init__(id="modules")
        self._picture: Picture | None = None

    def compose(self) -> ComposeResult:
        yield Facts()
        yield Table(_COLUMNS, empty="The node has not told of any module yet.")
        yield Lines()

    def show(self, picture: Picture) -> None:
        self._picture = picture
        modules = picture.node.snapshot.modules if picture.node.snapshot is not None else ()
        words = self.filtered.lower().split()
        kept = [
            one for one in modules if all(word in f"{one.name} {one.application} {one.vsn}".lower() for word in words)
        ]
        empty = "Nothing matches the filter." if words and modules else None
        self.query_one(Facts).show([_verdict(picture)])
        self.query_one(Table).show([Row(one.name, _cells(one, picture)) for one in kept], empty)
        self._show_module()

    def _show_module(self) -> None:
        snapshot = self._picture.node.snapshot if self._picture is not None else None
        if snapshot is None or self._picture is None:
            return
        key = self.query_one(Table).key
        module = next((one for one in snapshot.modules if one.name == key), None)
        names = {process.pid: title_of(process) for process in snapshot.processes}
        lines = _module_lines(module, names, self._picture.node_now) if module is not None else []
        self.query_one(Lines).show(lines)

    def on_table_moved(self) -> None:
        """Show the module under the cursor."""
        self._show_module()

    def wants(self) -> Wants:
        return Wants(pictures=True)


def _verdict(picture: Picture) -> Line:
    snapshot = picture.node.snapshot
    if snapshot is None:
        return ()
    draining = picture.node.draining()
    if not draining:
        return line(say(f"No old code: every process runs {snapshot.info.vsn}.", "ok"))
    running = {pid for module in draining for pid in module.old_pids}
    if not running:
        return line(say(f"{plural(len(draining), 'old version')} loaded; no process runs them any more.", "fact"))
    who = plural(len(running), "process runs", "processes run")
    return line(say(f"{who} old code of {plural(len(draining), 'module')}.", "warn"))


def _cells(module: m.ModuleInfo, picture: Picture) -> tuple[Line, ...]:
    old: Line = (Span("·", "fact"),)
    drain: Line = ()
    if module.old_vsn:
        old = tuple(Span(span.text, "warn") for span in version(module.old_vsn, module.old_app_vsn))
        drain = (say(_draining(module), "warn" if module.old_pids else "ok"),)
    return (
        (say(module.name, "name"),),
        version(module.vsn, module.app_vsn),
        old,
        drain,
        (say(str(module.processes) if module.processes else "", "plain"),),
        (say(f"{module.application} {module.app_vsn}", "fact"),),
        (say(age(picture.node_now - module.loaded), "fact"),),
    )


def _draining(module: m.ModuleInfo) -> str:
    if not module.old_pids:
        return "drained"
    if len(module.old_pids) <= 2:
        return "draining " + " ".join(f"<{pid}>" for pid in module.old_pids)
    return f"draining {plural(len(module.old_pids), 'process', 'processes')}"


def _module_lines(module: m.ModuleInfo, names: dict[int, str], node_now: float) -> list[Line]:
    lines = [
        line(
            say(module.name, "name"), " ", say(module.vsn, "strong"), say(f"  {module.application} {module.app_vsn}"),
            say(f"  loaded {age(node_now - module.loaded)} ago", "fact"),
        ),
        line(say("from ", "fact"), say(module.path), say(f"  sha256 {module.sha256[:12]}", "fact")),
    ]  # fmt: skip
    if module.old_vsn is None:
        return [*lines, line(say("No old version is loaded.", "fact"))]
    lines.append(
        line(say("old ", "fact"), say(module.old_vsn, "warn"), say(f"  from {module.old_path or '?'}", "fact"))
    )
    if not module.old_pids:
        return [*lines, line(say("Drained: no process runs it any more.", "ok"))]
    who = [span for pid in module.old_pids for span in (say(names.get(pid, "?"), "name"), say(f" <{pid}>  ", "fact"))]
    return [*lines, line(say("still run by ", "warn"), *who)]
