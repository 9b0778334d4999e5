"""The `hotdash` command: the dashboard of a node, and the same actions as verbs for scripts.

stdout has the output, stderr has messages for people. The exit codes are those of
`node_runtime.protocol.exit_codes.ExitCode`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from typing import TextIO

import click

from hotdash.model.styled_text import sanitize
from node_runtime.protocol.clip import clip, clip_path
from node_runtime.protocol.escape import escape_unencodable
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .verb_group import VerbGroup

MAX_USAGE_LINE = 400
"""The maximum number of characters of a line of click's message about wrong arguments."""


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotdash", message="%(version)s")
def hotdash() -> None:
    """Watch a node and change its code while it runs.

    NODE is a node on this machine, such as fil@127.0.0.1, or name@host:port with --cookie-file.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. A `Refused` is printed on stderr as one sentence, and determines the exit code."""
    escape_unencodable(sys.stdout, sys.stderr)
    try:
        hotdash.main(args=arguments, prog_name="hotdash", standalone_mode=False)
    except Refused as refusal:
        _say(refusal.sentence)
        sys.exit(refusal.code)
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        lines = shown.getvalue().splitlines()  # a line may quote an argument of any length
        click.echo("\n".join(clip(line, MAX_USAGE_LINE) for line in lines), err=True)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The node continues with the requests that it has accepted.", err=True)
        sys.exit(ExitCode.USAGE)
    except OSError as error:
        _discard(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            sys.exit(ExitCode.OK)
        about = f"{clip_path(str(error.filename))}: " if error.filename else ""
        _say(f"hotdash failed: {about}{error.strerror or error}.")
        sys.exit(ExitCode.REFUSED)


def _say(sentence: str) -> None:
    """Print a sentence on stderr, unless stderr fails."""
    try:
        click.echo(sanitize(sentence), err=True)
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO | None) -> None:
    """Discard the buffered output of a stream, because writing it at exit would fail again."""
    if stream is None:  # its descriptor was closed when Python started
        return
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
