"""The verbs of `node-runtime`. They work on releases and need no running node."""

from __future__ import annotations

import errno
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node_runtime.protocol.escape import escape_unencodable
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.file_hash import size_and_sha256
from node_runtime.protocol.signature_file import signature_path

from . import appup_command, sbom_command, signing_commands
from .dev import dev_command
from .new_project import new_command
from .signing_commands import expires_option, password_option
from .terminal_text import echo

if TYPE_CHECKING:
    from node_runtime.releases.files.manifest import Manifest
    from node_runtime.releases.files.release_model import ReleaseView
    from node_runtime.releases.store.staging_request import StageRequest

_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotdash", message="%(version)s")
def node_runtime() -> None:
    """Build, sign and install releases, and generate the relup between two of them."""


for verb in (
    new_command.new,
    dev_command.dev,
    appup_command.appup,
    signing_commands.keys,
    signing_commands.sign,
    signing_commands.verify,
    sbom_command.sbom,
):
    node_runtime.add_command(verb)


@node_runtime.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="The output folder; FOLDER/_build by default."
)
@click.option(
    "--sign", "key", type=click.Path(path_type=Path, dir_okay=False), help="Sign the tarball with this secret key."
)
@expires_option
@password_option
@click.option(
    "--from",
    "previous",
    help="The previous release: a folder, a tarball or a revision of git. The appups between the two releases are "
    "checked, as `appup check` does. If it is a tarball, the differences are printed on stderr.",
)
def build(
    folder: Path,
    output: Path | None,
    key: Path | None,
    days: int,
    password_file: Path | None,
    previous: str | None,
) -> None:
    """Build the tarball of the release in FOLDER: everything that a node needs except Python.

    Equal projects give equal tarballs. If SOURCE_DATE_EPOCH is set, it is recorded as the time of the build. Otherwise,
    no time is recorded, and a signature has the time of the signing instead.
    """
    from node_runtime.releases.appups.tarball_difference import tarball_difference
    from node_runtime.releases.build.tarball import build as build_release
    from node_runtime.releases.files.python_floor import python_warning

    if previous is not None:
        appup_command.check_build(previous, folder)
    is_first = not any((output or folder / "_build").glob("*.tar.gz"))
    before = _hash_of_build(folder, output or folder / "_build")
    tarball = build_release(folder, output or folder / "_build")
    if before is not None and before != size_and_sha256(tarball):
        echo(
            f"Warning: {tarball} has replaced a different build of the same vsn. If a node runs the former build, give "
            "this one another vsn.",
            err=True,
        )
    signature_path(tarball).unlink(missing_ok=True)  # the signature of an earlier build
    if key is not None:
        signing_commands.sign_with(tarball, key, days, password_file)
    if is_first and (warning := python_warning()):
        echo(f"Warning: {warning}", err=True)
    if previous is not None and Path(previous).is_file():
        echo("\n".join(tarball_difference(Path(previous), tarball)), err=True)
    echo(tarball)


def _hash_of_build(folder: Path, output: Path) -> tuple[int, str] | None:
    """Return the size and the hash of the tarball that a build will replace; None if there is no tarball."""
    from node_runtime.releases.files.schemas import read_release

    release = read_release(folder / "release.toml")
    path = output / f"{release.name}-{release.vsn}.tar.gz"
    return size_and_sha256(path) if path.is_file() else None


@node_runtime.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
def lock(folder: Path) -> None:
    """Write FOLDER/release.lock: the third-party code that a build of the release may contain, with its hashes.

    The command replaces the lines for this Python and platform, and keeps the lines for others. If the file exists,
    `build` checks the release against it.
    """
    from node_runtime.releases.build.tarball import lock as lock_release

    echo(lock_release(folder))


@node_runtime.command()
@click.argument("tarball", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--keys",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with release keys, which are copied to etc/release-keys/ of a new node.",
)
@click.option(
    "--allow-older", is_flag=True, help="Accept a signed build that is older than the newest committed build."
)
def install(tarball: Path, directory: Path, keys: Path | None, allow_older: bool) -> None:
    """Verify a release's TARBALL and unpack it into DIRECTORY.

    DIRECTORY must be empty, or belong to a node that is down. If DIRECTORY has release keys in etc/release-keys/, the
    tarball must be signed with one of them.
    """
    from node_runtime.releases.store import commit_record
    from node_runtime.releases.store.staging_request import StageRequest
    from node_runtime.releases.store.unpack import unpack

    from .directory_lock import check_path, hold_directory, make_private
    from .first_keys import with_release_keys
    from .new_directory import hold_new_directory, is_new

    check_path(directory)
    os.umask(0o077)
    request = StageRequest(allow_older=allow_older)
    if not is_new(directory):
        if commit_record.load(directory) is None:
            raise Refused(f"{directory} is neither empty nor a node's directory; choose another folder.")
        if keys is not None:
            raise Refused(f"{directory} belongs to a node already; copy the keys to its etc/release-keys/ yourself.")
        make_private(directory)
        with hold_directory(directory, "unpack the release there with `bin/<name> unpack TARBALL`"):
            manifest = _unpack_audited(tarball, directory, request)
    else:
        with hold_new_directory(directory), with_release_keys(directory, keys):
            manifest = unpack(tarball, directory, request)
    script = shlex.quote(f"{directory}/bin/{manifest.name}")
    echo(f"{manifest.name} {manifest.vsn} is unpacked in {directory}; `{script} start` starts the node.")


def _unpack_audited(tarball: Path, directory: Path, request: StageRequest) -> Manifest:
    """Unpack a tarball into the directory of a node, with an intent and an outcome in the node's audit log."""
    from node_runtime.control.audit import audited
    from node_runtime.releases.store.unpack import unpack

    unpacked: list[Manifest] = []

    def change() -> str:
        unpacked.append(unpack(tarball, directory, request))
        return f"unpacked release {unpacked[0].vsn}"

    audited(directory, "install", tarball.name, change)
    return unpacked[0]


@node_runtime.command()
@click.option(
    "--from",
    "older",
    required=True,
    type=click.Path(path_type=Path),
    help="The older release: a project folder or a tarball.",
)
@click.option(
    "--to",
    "newer",
    required=True,
    type=click.Path(path_type=Path),
    help="The newer release, whose appups are used.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def relup(older: Path, newer: Path, as_json: bool) -> None:
    """Print the low-level instructions between two releases, each a project folder or a tarball."""
    from node_runtime.releases.relup.relup_json import relup_json
    from node_runtime.releases.relup.translation import make_relup

    made = relup_json(make_relup(_view(older), _view(newer)))
    if as_json:
        echo(json.dumps(made))
        return
    for direction, start, end in (("up", made["from"], made["to"]), ("down", made["to"], made["from"])):
        echo(f"{direction}: {start} to {end}")
        for instruction in made[direction]:
            echo(f"  {json.dumps(instruction)}")


def _view(path: Path) -> ReleaseView:
    """Read a release from its project folder or its tarball."""
    from node_runtime.releases.build.project import read_project
    from node_runtime.releases.store.catalog import Catalog
    from node_runtime.releases.store.staging_request import ONLY_READ
    from node_runtime.releases.store.unpack import unpack

    if path.is_dir():
        return read_project(path).view()
    with tempfile.TemporaryDirectory(prefix="node-runtime-relup-") as folder:
        return Catalog(Path(folder)).release(unpack(path, Path(folder), ONLY_READ).vsn).view


def run(arguments: Sequence[str] | None) -> None:
    """Run the command line. A `Refused` is printed on stderr as one sentence, and determines the exit code."""
    escape_unencodable(sys.stdout, sys.stderr)
    try:
        node_runtime.main(args=arguments, prog_name="node-runtime", standalone_mode=False)
    except Refused as refusal:
        echo(refusal.sentence, err=True)
        sys.exit(refusal.code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except click.Abort:
        sys.exit(ExitCode.USAGE)
    except RecursionError:
        echo("A file of the release is nested too deeply for this command; simplify it.", err=True)
        sys.exit(ExitCode.REFUSED)
    except OSError as error:  # the disk is full or fails
        remedy = "; choose a folder that you may write to" if error.errno in _NOT_WRITABLE else ""
        echo(f"{error.filename or 'The disk'} can't be used: {error.strerror or error}{remedy}.", err=True)
        sys.exit(ExitCode.REFUSED)
