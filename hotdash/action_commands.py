"""The command lines that do the same as the operator's actions."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from node_runtime.protocol import messages as m


@dataclass(frozen=True, slots=True)
class CommandSubject:
    """The arguments of the `hotdash` command that does the same as an action.

    `node` is the command's argument NODE. A field is None if the command does not need it or nothing is selected.
    `lose` has the options with the names of the data that an install loses.
    """

    node: str
    cookie_file: str | None = None
    pid: int | None = None
    vsn: str | None = None
    path: str | None = None
    operation: str | None = None
    module: str | None = None
    lose: tuple[str, ...] = ()
    options: m.InstallOptions = field(default_factory=m.InstallOptions)


def build_command_line(verb: str, subject: CommandSubject, *words: str) -> str:
    """Return the command line that runs `verb` on the subject's node, quoted for a shell."""
    options = ["--cookie-file", subject.cookie_file] if subject.cookie_file else []
    return shlex.join(["hotdash", verb, subject.node, *words, *options])


def install_command(verb: str) -> Callable[[CommandSubject], str]:
    """Return a function that makes the command line of an install."""
    return lambda subject: build_command_line(
        verb, subject, subject.vsn or "VSN", "--yes", *subject.lose, *_option_words(subject.options)
    )


def cold_command(subject: CommandSubject) -> str:
    """Return the command line of a cold upgrade."""
    words = (subject.vsn or "VSN", "--cold", "--yes")
    return build_command_line("upgrade", subject, *words, *_option_words(subject.options))


def _option_words(options: m.InstallOptions) -> list[str]:
    wait = ["--wait", f"{options.wait:g}"] if options.wait else []
    again = ["--again"] if options.again else []
    return [*wait, *again, *(["--unrehearsed"] if options.unrehearsed else []), *reason_words(options)]


def reason_words(options: m.InstallOptions) -> list[str]:
    """Return `--reason TEXT` as words of a command line, or no words without a reason."""
    return ["--reason", options.reason] if options.reason else []


def process_command(verb: str) -> Callable[[CommandSubject], str]:
    """Return a function that makes the command line of a verb that changes one process."""
    return one_process_command(verb, "--yes")


def one_process_command(verb: str, *words: str) -> Callable[[CommandSubject], str]:
    """Return a function that makes the command line of a verb about one process."""
    return lambda subject: build_command_line(
        verb, subject, str(subject.pid or "PID"), *words, *reason_words(subject.options)
    )


def timed_process_command(verb: str, *words: str) -> Callable[[CommandSubject], str]:
    """Return a function that makes the command line of a verb that lasts `options.wait` seconds."""
    return lambda subject: one_process_command(
        verb, *words, *(["--seconds", f"{subject.options.wait:g}"] if subject.options.wait else [])
    )(subject)


def rollback_command(subject: CommandSubject) -> str:
    """Return the command line of a rollback."""
    return build_command_line("rollback", subject, "--yes", *_option_words(subject.options))


def results_command(subject: CommandSubject) -> str:
    """Return the command line that prints operations."""
    return build_command_line("results", subject, *([subject.operation] if subject.operation else ["--all"]))


def overview_command(subject: CommandSubject) -> str:
    """Return the command line that prints the selected process or, if no process is selected, the tree."""
    return (
        build_command_line("tree", subject)
        if subject.pid is None
        else build_command_line("state", subject, str(subject.pid))
    )
