"""The `node-runtime` command, the node's own OS process, and the script that becomes a release's bin/<name>."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `node-runtime` command."""
    from .commands import run  # here, because a node's own process imports this package, too

    run(arguments)
