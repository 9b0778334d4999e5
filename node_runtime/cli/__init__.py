"""The `node-runtime` command, the node's own OS process, and the script that becomes a release's bin/<name>."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `node-runtime` command."""
    from .commands import run  # not imported above: a node's own process doesn't need it

    run(arguments)
