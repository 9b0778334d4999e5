"""The `hotdash` command: the dashboard of a node, and the same actions as verbs for scripts.

stdout has the output, stderr has messages for people. The exit codes are those of
`node_runtime.protocol.exit_codes.ExitCode`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from hotdash.model.styled_text import sanitize
from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import ExitCode, Refused

from . import abort, approve, commit, connect, inspect, plan, process, remove, rollback, stage, upgrade

VERB_MODULES = (connect, inspect, stage, plan, approve, upgrade, commit, rollback, abort, remove, process)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotdash", message="%(version)s")
def hotdash() -> None:
    """Watch a node and change its code while it runs.

    NODE is a node on this machine, such as fil@127.0.0.1, or name@host:port with --cookie-file.
    """


for module in VERB_MODULES:
    for verb in module.VERBS:
        hotdash.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. `Refused` is reported as one sentence on stderr, and sets the exit code."""
    try:
        hotdash.main(args=arguments, prog_name="hotdash", standalone_mode=False)
    except Refused as refusal:
        click.echo(sanitize(refusal.sentence), err=True)
        sys.exit(refusal.code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The node continues with the requests that it has accepted.", err=True)
        sys.exit(ExitCode.USAGE)
    except OSError as error:
        _discard_stdout()
        if isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            sys.exit(ExitCode.OK)
        about = f"{clip_path(str(error.filename))}: " if error.filename else ""
        click.echo(sanitize(f"hotdash failed: {about}{error.strerror or error}."), err=True)
        sys.exit(ExitCode.REFUSED)


def _discard_stdout() -> None:
    """Discard buffered output, because a write at exit would fail again."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
