"""Reads the TOML files that the user writes for hotdash."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from node_runtime.protocol.exit_codes import ExitCode, Refused

MAX_FILE_BYTES = 256 * 1024
"""The maximum size of a file."""


def read_toml(path: Path, content: str) -> dict[str, Any]:
    """Return the table in the file at `path`; an empty table if there is no file.

    `content` names the content in messages, for example "settings". Raises Refused (USAGE) for a file that is too
    large, can't be read, or isn't TOML.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise Refused(f"{path} is too large (limit {MAX_FILE_BYTES} bytes).", ExitCode.USAGE)
        return tomllib.loads(text.decode())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"The {content} in {path} can't be read: {error}.", ExitCode.USAGE) from None
