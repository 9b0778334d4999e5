"""Verifies an audit log: its lines must form one chain, and the chain must contain all known heads."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from node_runtime.protocol.messages import AuditCheck

from .anchor import IDENTIFIER, Anchor, find_anchor
from .audit_files import AuditFiles, ChainLink, chain_link, line_hash
from .audit_log import DROP
from .heads import heads_in


@dataclass(slots=True)
class _Walk:
    """Checks the lines one after the other.

    `wanted` has, for each entry number, the recorded hashes with the places of their records.
    """

    directory: Path
    wanted: dict[int, dict[str, str]]
    entries: int = 0
    first: int = 0
    last: int = 0
    last_hash: str = ""
    broken: str = ""
    dropped: set[str] = field(default_factory=set)

    def line(self, path: Path, number: int, line: bytes) -> None:
        """Check one line; remember the first fault."""
        link, before, sha256 = chain_link(line), self.last_hash, line_hash(line)
        self.last_hash = sha256
        if (link is None or not link.seq) and not self.entries:
            return  # an older version of the node wrote this line, before the chain begins
        fault = self._fault(link, before, sha256)
        if fault and not self.broken:
            self.broken = f"{path.relative_to(self.directory)}, line {number}: {fault}"
        if link is not None and link.seq:
            self.entries += 1
            self.first = self.first or link.seq
            self.last = link.seq
            if link.method == DROP:
                self.dropped.add(link.subject)

    def _fault(self, link: ChainLink | None, before: str, sha256: str) -> str:
        if link is None or not link.seq:
            return "this line does not belong to the chain"
        if self.entries and link.seq <= self.last:
            return f"entry {link.seq} appears a second time"
        if self.entries and link.seq != self.last + 1:
            return f"{_range(self.last + 1, link.seq - 1)} before it"
        if (self.entries or link.seq == 1) and link.prev != before:
            return "the line before it was changed"
        for expected, place in self.wanted.get(link.seq, {}).items():
            if expected != sha256:
                return f"this line was changed after {place} had recorded it"
        return ""

    def finish(self) -> None:
        """Check whether entries are missing at the start or at the end of the log."""
        newest = max(self.wanted, default=0)
        if not self.broken and self.first > 1 and f"entries before {self.first}" not in self.dropped:
            self.broken = _range(1, self.first - 1)
        if not self.broken and newest > self.last:
            place = next(iter(self.wanted[newest].values()))
            self.broken = (
                f"the newest entries are missing: {place} has recorded entry {newest}, but the log ends before it"
            )


def _range(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def verify(directory: Path, script: Path, more_heads: Iterable[str] | None = None) -> AuditCheck:
    """Verify the audit log of the node in `directory`. The node may run meanwhile.

    `more_heads` are lines from the anchor, if this process can't read them itself. `script` is the path of bin/<name>,
    for the command that the result suggests. Raises Refused if etc/node.toml is damaged, and OSError if the log can't
    be read.
    """
    directory = directory.resolve()
    files, anchor = AuditFiles(directory / "var"), find_anchor(directory)
    wanted: dict[int, dict[str, str]] = defaultdict(dict)
    with suppress(FileNotFoundError):
        for head in heads_in(files.head_file.read_text(errors="replace").splitlines(), directory):
            wanted[head.seq][head.sha256] = files.head_file.name
    anchored = 0
    for lines, place in ((anchor.lines(), f"the anchor {anchor.path}"), (more_heads, "the anchor")):
        for head in heads_in(lines or (), directory):
            wanted[head.seq][head.sha256] = place
            anchored = max(anchored, head.seq)
    walk = _Walk(directory, dict(wanted))
    for path, number, line in files.lines():
        walk.line(path, number, line)
    walk.finish()
    entries = f"{walk.entries:,} entr{'y' if walk.entries == 1 else 'ies'}"
    if walk.broken:
        sentence = f"The audit log is broken: {walk.broken}."
    else:
        where = _where_anchored(anchor, anchored, more_heads is not None, script)
        sentence = f"The audit log is intact: {entries}; {where}."
    return AuditCheck(intact=not walk.broken, entries=walk.entries, first=walk.first, last=walk.last, sentence=sentence)


def _where_anchored(anchor: Anchor, anchored: int, compared: bool, script: Path) -> str:
    if weakness := anchor.weakness():
        return f"its anchor {anchor.path} {weakness}"
    if anchored:
        return f"compared with its anchor up to entry {anchored}"
    if compared:
        return "but the lines of its anchor contain no hash of this log"
    if anchor.kind == "none":
        return (
            "it has no anchor, so nobody can notice if a process of the node's user deletes the newest entries or "
            "rewrites the whole log; set audit_anchor in etc/node.toml"
        )
    command = f"`journalctl -q -o cat -t {IDENTIFIER} | {shlex.quote(str(script))} audit --verify --anchor -`"
    if anchor.kind == "journal":
        return f"the hashes of its entries are also in the journal; to compare them with the log, run {command}"
    return (
        f"the hashes of its entries are also sent to {anchor.path}; to compare them with the log, run "
        f"`audit --verify --anchor FILE`, where FILE is the log file that has received them"
    )
