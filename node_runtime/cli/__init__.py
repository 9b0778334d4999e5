"""The `node-runtime` command, the node's own OS process, and the script that becomes a release's bin/<name>."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `node-runtime` command. `commands` is imported late: a node imports this package without needing it."""
    from .commands import run

    run(arguments)
