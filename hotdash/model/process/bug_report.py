"""A report about one process, to paste into an issue: as Markdown for people, as JSON for programs."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hotdash.model.styled_text import sanitize, text_of
from hotdash.model.units import moment
from node_runtime.protocol import messages as m
from node_runtime.protocol.clip import clip
from node_runtime.protocol.escape import escape_json

from .facts import fact_lines
from .outline import EVERYTHING_OPEN, OutlineNode, flatten
from .state_outline import state_outline
from .surroundings import surroundings
from .visits import Look

MAX_REPORT = 50_000
"""The maximum number of characters of a Markdown report: terminals copy only about 75 kB of base64."""


def markdown_report(info: m.NodeInfo, view: m.ProcessView, before: Look | None) -> str:
    """Return the report as Markdown. What the node has sent is only in fenced blocks, where nothing is interpreted."""
    title = view.process.name or view.process.module
    facts = "\n".join(text_of(one) for one in fact_lines(view, view.at)).replace("\xa0", " ")
    node = (
        f"node {info.name}, release {info.release} {info.vsn} (permanent {info.permanent}), boot {info.boot_id}\n"
        f"hotdash {info.runtime}, Python {info.python}, read at {moment(view.at, 0.0)}"
    )
    parts = [f"# Process {_plain(title)} <{view.process.pid}>", "", _fenced(f"{facts}\n\n{sanitize_lines(node)}")]
    left = MAX_REPORT
    for section in (*state_outline(view, before), *surroundings(view, view.at)):
        text = clip(_text(section.children), left) or text_of(section.line)
        left = max(0, left - len(text))
        parts += ["", f"## {_plain(text_of(section.line))}", "", _fenced(text)]
    return "\n".join(parts) + "\n"


def json_report(info: m.NodeInfo, view: m.ProcessView) -> str:
    """Return the report as JSON, with every field. Characters that act on a terminal are escaped."""
    report: dict[str, Any] = {"node": msgspec.to_builtins(info), "process": msgspec.to_builtins(view)}
    return escape_json(msgspec.json.format(msgspec.json.encode(report), indent=2).decode()) + "\n"


def sanitize_lines(text: str) -> str:
    """Return lines of text, each sanitized."""
    return "\n".join(sanitize(one) for one in text.split("\n"))


def _text(nodes: tuple[OutlineNode, ...]) -> str:
    return "\n".join(text_of(row.line).rstrip() for row in flatten(nodes, EVERYTHING_OPEN))


def _plain(text: str) -> str:
    """Return text without the characters that Markdown interprets."""
    return re.sub(r"[\\`*_{}\[\]<>#|~!]", " ", " ".join(sanitize(text).split()))


def _fenced(text: str) -> str:
    """Return text in a fence that is longer than every run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
