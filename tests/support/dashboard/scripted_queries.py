"""The scripted node's answers to queries for processes and for the tree, made from its world in the simplest way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from node_runtime.protocol import messages as m
from node_runtime.protocol.process_filter import NUMBER_FIELDS, WORD_FIELDS, FilterTerm, parse_filter

if TYPE_CHECKING:
    from .fil_world import World

MAX_SIBLINGS = 50


def process_page(world: World, query: m.ProcessQuery) -> m.ProcessPage:
    rows = [_row(one) for one in sorted(world.processes, key=lambda one: one.pid)]
    terms = parse_filter(query.filter)
    found = [row for row in rows if _accepts(terms, row)]
    if query.pids or query.names:
        found = [row for row in found if row.pid in query.pids or row.name in query.names]
    if query.order != "pid":
        found.sort(key=lambda row: _key(row, query.order))
    if query.reverse:
        found.reverse()
    index = next((number for number, row in enumerate(found) if row.pid == query.follow), None)
    offset = query.offset if index is None else max(0, index - query.lead)
    page = found[offset : offset + query.limit]
    return m.ProcessPage(
        boot_id=world.boot_id, generation=1, total=len(rows), matched=len(found), offset=offset,
        pids=tuple(row.pid for row in page), rows=tuple(page), index=index,
    )  # fmt: skip


def tree_page(world: World, query: m.TreeQuery) -> m.TreePage:
    lines = list(_Tree(world, query).lines())
    index = next((number for number, line in enumerate(lines) if line.pid == query.follow and query.follow), None)
    offset = query.offset if index is None else max(0, index - query.lead)
    page = lines[offset : offset + query.limit]
    rows = {one.pid: _row(one) for one in world.processes}
    return m.TreePage(
        boot_id=world.boot_id, generation=1, total=len(rows), matched=sum(line.matched for line in lines),
        length=len(lines), offset=offset, lines=tuple(page),
        rows=tuple(rows[line.pid] for line in page if line.pid is not None), index=index,
    )  # fmt: skip


def _row(process: m.ProcessSummary) -> m.ProcessRow:
    return msgspec.convert(msgspec.to_builtins(process), m.ProcessRow)


def _key(row: m.ProcessRow, order: m.ProcessOrder) -> tuple[float, str]:
    numbers = {"mail": row.mailbox, "messages": row.messages, "rate": row.rate or 0, "restarts": row.restarts}
    words = {"name": row.name, "kind": row.kind, "module": row.module, "application": row.application}
    return (-numbers[order], "") if order in numbers else (0, words.get(order) or "~")


def _accepts(terms: tuple[FilterTerm, ...], row: m.ProcessRow) -> bool:
    return all(_matches(term, row) is not term.negated for term in terms)


def _matches(term: FilterTerm, row: m.ProcessRow) -> bool:
    texts = {
        "pid": str(row.pid), "name": row.name or "", "kind": row.kind, "module": row.module, "vsn": row.vsn,
        "application": row.application or "", "state": row.state_name or "", "status": row.status,
        "id": row.child_id or "", "callback": row.callback or "", "arguments": row.arguments,
    }  # fmt: skip
    if not term.field:
        return any(term.accepts_text(texts[field]) for field in WORD_FIELDS)
    if term.field in NUMBER_FIELDS:
        return term.accepts_number(row.mailbox if term.field == "mail" else row.restarts)
    return term.accepts_text(texts[term.field])


class _Tree:
    def __init__(self, world: World, query: m.TreeQuery) -> None:
        self._world = world
        self._query = query
        terms = parse_filter(query.filter)
        self._matched = {one.pid for one in world.processes if terms and _accepts(terms, _row(one))}
        self._pids = {one.pid for one in world.processes}

    def lines(self) -> Iterator[m.TreeLine]:
        applications = self._world.snapshot(0).applications
        loose = [one for one in self._world.processes if one.parent not in self._pids]
        roots: list[tuple[m.TreeLine, list[m.ProcessSummary]]] = []
        for application in applications:
            top = [one for one in loose if one.pid == application.top or one.application == application.name]
            loose = [one for one in loose if one not in top]
            line = m.TreeLine(path=application.name, application=application, below=len(top))
            roots.append((line, top))
        if loose:
            roots.append((m.TreeLine(path="not supervised", below=len(loose)), loose))
        shown = [
            (line, top) for line, top in roots if any(self._is_shown(one) for one in top) or not self._query.filter
        ]
        for number, (line, top) in enumerate(shown):
            level = " " if number == len(shown) - 1 else "|"
            yield msgspec.structs.replace(line, levels=level)
            if line.path not in self._query.closed:
                yield from self._below(top, [], line.path, level)

    def _is_shown(self, process: m.ProcessSummary) -> bool:
        below = (one for one in self._world.processes if one.parent == process.pid)
        return not self._query.filter or process.pid in self._matched or any(map(self._is_shown, below))

    def _below(
        self, processes: list[m.ProcessSummary], missing: list[m.ChildInfo], path: str, levels: str
    ) -> Iterator[m.TreeLine]:
        children: list[m.ProcessSummary | m.ChildInfo] = [one for one in processes if self._is_shown(one)]
        children += [] if self._query.filter else missing
        shown = children if path in self._query.open else children[:MAX_SIBLINGS]
        hidden = len(children) - len(shown)
        for number, child in enumerate(shown):
            level = " " if number == len(shown) - 1 and not hidden else "|"
            if isinstance(child, m.ChildInfo):
                yield m.TreeLine(path=f"{path}/{child.child_id}", levels=levels + level, child=child)
            else:
                yield from self._process(child, path, levels + level)
        if hidden:
            yield m.TreeLine(path=path, levels=f"{levels} ", hidden=hidden)

    def _process(self, process: m.ProcessSummary, parent: str, levels: str) -> Iterator[m.TreeLine]:
        path = f"{parent}/{process.child_id or process.name or process.pid}"
        below = [one for one in self._world.processes if one.parent == process.pid]
        missing = [one for one in self._world.children if one.supervisor == process.pid]
        number = len(below) + len(missing)
        matched = process.pid in self._matched
        yield m.TreeLine(path=path, levels=levels, pid=process.pid, below=number, matched=matched)
        if path not in self._query.closed:
            yield from self._below(below, missing, path, levels)
