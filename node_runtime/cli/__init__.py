"""The `node-runtime` command, the node's own OS process, and the script that becomes a release's bin/<name>."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `node-runtime` command. The import is late because the node's OS process imports this package, too."""
    from .commands import run

    run(arguments)
