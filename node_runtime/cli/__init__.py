"""The `node-runtime` command, the node's own process, and the script that becomes a release's bin/<name>."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """The `node-runtime` command. Imported late: a node's process comes through this package, too."""
    from .commands import run

    run(arguments)
