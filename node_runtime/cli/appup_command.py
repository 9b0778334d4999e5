"""The verbs of `node-runtime appup`: they check and write the appups between two releases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node_runtime.protocol.exit_codes import ExitCode, Refused

from .terminal_text import echo

if TYPE_CHECKING:
    from node_runtime.releases.appups.generation.generate import GeneratedAppup
    from node_runtime.releases.appups.sources.release_source import ReleaseSource


@click.group()
def appup() -> None:
    """Check and generate the appups between two releases.

    A release is a project folder, a tarball, or a revision of git such as HEAD, v1.0 or v1.0:services/shop. A revision
    without a folder means the folder of the newer project in that revision.
    """


@appup.command()
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--from", "older", help="The older release; replaces the argument OLD.")
@click.option(
    "--to", "newer", help="The newer release, whose appups are checked, in place of the argument NEW; by default `.`."
)
def check(old: str | None, new: str | None, older: str | None, newer: str | None) -> None:
    """Check that the appups of NEW lead from OLD to NEW and back, against the code of both.

    Each mistake is printed with its file, its line and a remedy; the exit code is then 1. No code is executed.
    """
    from node_runtime.releases.appups.check.check import check_appups

    start, end = _one(old, older, "OLD", "--from"), _one(new, newer, "NEW", "--to") or "."
    if start is None:
        raise Refused("Give the older release: a project folder, a tarball or a revision of git.", ExitCode.USAGE)
    with read_releases(start, end) as (first, second):
        check_appups(first, second)
        echo(f"The appups lead from {first.name} {first.vsn} to {second.vsn} and back.")


@appup.command()
@click.option("--from", "older", required=True, multiple=True, help="The older release. May be given several times.")
@click.option("--to", "newer", default=".", show_default=True, help="The newer release, whose appups are written.")
@click.option(
    "--bump",
    metavar="HOW",
    is_flag=False,
    flag_value="next",
    help="Give a new vsn to the project, and to each of its applications that differs from the older release. By "
    "default, this is the older vsn with its last number increased. HOW can be `hash` (the older vsn with a hash of "
    "the content), `tag` (the output of `git describe --tags`), or a vsn.",
)
@click.option("--print", "only_print", is_flag=True, help="Print the appups, and write no file.")
def generate(older: tuple[str, ...], newer: str, bump: str | None, only_print: bool) -> None:
    """Write the appups of a project, up and down, for the upgrade from an older release.

    What the author has written is kept. Where the code doesn't show what the appup needs, the appup contains a
    question: answer it, and remove its line. If the newer release is a tarball or a revision of git, its appups are
    printed instead of written.
    """
    writes = Path(newer).is_dir() and not only_print
    if bump is not None:
        if not writes:
            raise Refused("--bump writes to a project; give its folder, and don't pass --print.", ExitCode.USAGE)
        older = _bump(older, newer, bump)
    with ExitStack() as stack:
        pairs = [stack.enter_context(read_releases(start, newer)) for start in older]
        for first, second in pairs:
            _generate(first, second, tuple(each for each, _ in pairs if each is not first), writes)


def _bump(older: tuple[str, ...], newer: str, how: str) -> tuple[str, ...]:
    """Write new versions to the project `newer`. Return the older releases from which the project differs."""
    from node_runtime.releases.appups.generation.version_bump import bump_versions

    with ExitStack() as stack:
        pairs = [(start, *stack.enter_context(read_releases(start, newer))) for start in older]
        differing = [each for each in pairs if each[1].vsn != each[2].vsn or each[1].differs(each[2])]
        for _, first, _ in (each for each in pairs if each not in differing):
            echo(f"Nothing differs from {first.name} {first.vsn}: no new vsn and no appup is needed.")
        if differing:
            bumped = bump_versions(Path(newer), [first for _, first, _ in differing], differing[0][2], how)
            for each in bumped:
                stays = f"vsn stays {each.vsn}; in the older release, it is {each.older}."
                if ", " in each.older:
                    stays = f"vsn stays {each.vsn}; in the older releases, it is {each.older}."
                echo(f"{each.path}: {f'vsn is {each.vsn} now.' if each.is_written else stays}")
        return tuple(start for start, _, _ in differing)


def _generate(older: ReleaseSource, newer: ReleaseSource, others: tuple[ReleaseSource, ...], writes: bool) -> None:
    """Write or print the appups for one of several older releases; print the open questions and the notes on stderr."""
    from node_runtime.releases.appups.generation.generate import generate_appups

    made = generate_appups(older, newer, others)
    for each in made.appups:
        place = newer.appups[each.app]
        if not writes:
            echo(each.text, nl=False)
        elif each.is_new:
            place.path.write_text(each.text, encoding="utf-8")
            echo(f"{place.shown}: written, from {older.vsn} and back.{_kept(each)}")
        else:
            echo(f"{place.shown}: unchanged.{_kept(each) or ' It is equal to the generated appup.'}")
        for text in each.questions:
            echo(f"{place.shown}: open question: {text}", err=True)
    if not made.appups:
        echo(f"No application of {newer.name} {newer.vsn} differs from {older.vsn}, so no appup is needed.")
    for note in made.notes:
        echo(f"Note: {note}", err=True)


def _kept(made: GeneratedAppup) -> str:
    """Return a sentence about the entries that stay as the author has written them; "" if there are none."""
    match made.kept:
        case ():
            return ""
        case (only,):
            return f" Its entry under `{only}` for {made.from_vsn} has no mistakes, so it stays as it is."
        case _:
            which = " and ".join(f"`{direction}`" for direction in made.kept)
            return f" Its entries under {which} for {made.from_vsn} have no mistakes, so they stay as they are."


def check_build(previous: str, folder: Path) -> None:
    """Check the appups of the project in `folder` against the previous release. Raises `Refused`."""
    from node_runtime.releases.appups.check.check import check_appups

    with read_releases(previous, str(folder)) as (older, newer):
        check_appups(older, newer)


@contextmanager
def read_releases(older: str, newer: str) -> Iterator[tuple[ReleaseSource, ReleaseSource]]:
    """Read two releases. Unpacked files are deleted after the body of `with`. Raises `Refused`."""
    from node_runtime.releases.appups.sources.release_argument import read_release_argument

    project = Path(newer)
    with tempfile.TemporaryDirectory(prefix="node-runtime-appup-") as folder:
        scratch = [Path(folder) / name for name in ("older", "newer")]
        for each in scratch:
            each.mkdir()
        yield (
            read_release_argument(older, project, scratch[0]),
            read_release_argument(newer, project, scratch[1]),
        )


def _one(argument: str | None, option: str | None, name: str, option_name: str) -> str | None:
    """Return the argument or the option that names a release, or None. Raises Refused if both are given."""
    if argument is not None and option is not None:
        raise Refused(f"{name} and {option_name} name the same release; give one of them.", ExitCode.USAGE)
    return argument if argument is not None else option
