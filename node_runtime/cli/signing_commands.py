"""The verbs of `node-runtime` that make keys, and sign and verify tarballs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.signature_file import read_signature, signature_path
from node_runtime.releases.signing.statement import DEFAULT_EXPIRY_DAYS, MAX_EXPIRY_DAYS

from .terminal_text import echo

if TYPE_CHECKING:
    from node_runtime.releases.signing.statement import ReleaseStatement

Verb = TypeVar("Verb", bound=Callable[..., Any])
MAX_PASSWORD_BYTES: Final = 1024


def password_option(verb: Verb) -> Verb:
    """Add `--password-file FILE`. Without this option, the command asks on the terminal.

    The password itself is never an argument, because `ps` would show it.
    """
    return click.option(
        "--password-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file whose first line is the key's password; /dev/fd/N reads it from a descriptor.",
    )(verb)


def expires_option(verb: Verb) -> Verb:
    """Add `--expires DAYS`: the time for which a signature can be used to stage the release."""
    return click.option(
        "--expires",
        "days",
        type=click.IntRange(1, MAX_EXPIRY_DAYS),
        metavar="DAYS",
        default=DEFAULT_EXPIRY_DAYS,
        show_default=True,
        help="The number of days for which the signature can be used to stage the release.",
    )(verb)


@click.group()
def keys() -> None:
    """Make the keys that sign releases."""


@keys.command()
@click.argument("name", type=click.Path(path_type=Path))
@click.option(
    "--role",
    default="release",
    show_default=True,
    help="The key's role; only a key with the role release can sign releases.",
)
@click.option("--no-password", is_flag=True, help="Do not encrypt the secret key.")
@password_option
def new(name: Path, role: str, no_password: bool, password_file: Path | None) -> None:
    """Make the key pair NAME.key and NAME.pub, in minisign's format.

    Keep NAME.key secret. Copy NAME.pub to etc/release-keys/ in the directory of each node that trusts the key.
    """
    from node_runtime.releases.signing.key_files import create_key_pair

    if not role.isidentifier() or not role.islower():
        raise Refused(f"{role!r} is not a name for a role; use lowercase letters, digits and '_'.", ExitCode.USAGE)
    for path in (name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")):
        if path.exists():
            raise Refused(f"{path} exists already; choose another name, or remove it if no node needs it.")
    password = None if no_password else read_password(password_file, f"Password for {name}.key", confirm=True)
    public = create_key_pair(name, password, role)
    echo(f"{name}.key and {name}.pub are the key {public}; copy {name}.pub to etc/release-keys/ of each node.")


@click.command()
@click.argument("tarball", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The secret key, NAME.key.")
@expires_option
@password_option
def sign(tarball: Path, key: Path, days: int, password_file: Path | None) -> None:
    """Sign a release's TARBALL: write TARBALL.minisig beside it."""
    sign_with(tarball, key, days, password_file)
    echo(signature_path(tarball))


@click.command()
@click.argument("tarball", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="The public key, NAME.pub.")
@click.option(
    "--keys", "folder", type=click.Path(path_type=Path, file_okay=False), help="A folder with public keys (*.pub)."
)
def verify(tarball: Path, key: Path | None, folder: Path | None) -> None:
    """Check the signature TARBALL.minisig as a node with this key, or with the keys in this folder, would check it."""
    from node_runtime.releases.signing.admission import check_signature
    from node_runtime.releases.signing.release_keys import read_release_key, read_release_keys
    from node_runtime.releases.store.tarball_reader import open_tarball

    if (key is None) == (folder is None):
        raise Refused("Pass either --key or --keys: a signature says nothing without a trusted key.", ExitCode.USAGE)
    known = (read_release_key(key),) if key is not None else read_release_keys(folder or Path())
    if not known:
        raise Refused(f"{folder} has no public keys (*.pub).")
    signature = read_signature(tarball)
    if signature is None:
        raise Refused(f"{tarball} is not signed: there is no {signature_path(tarball).name} beside it.")
    admission = check_signature(tarball, signature, known)
    with open_tarball(tarball) as archive:
        admission.check_manifest(archive.manifest, archive.manifest_bytes)
    if admission.statement is not None:
        echo(f"{tarball.name} is signed by {admission.key}: {statement_text(admission.statement)}.")


def sign_with(tarball: Path, key: Path, days: int, password_file: Path | None) -> None:
    """Sign a tarball with the secret key in the file `key`. Raises Refused."""
    from node_runtime.releases.signing.key_files import read_secret_key
    from node_runtime.releases.signing.sign import sign_tarball
    from node_runtime.releases.store.tarball_reader import open_tarball

    with open_tarball(tarball) as archive:
        manifest, data = archive.manifest, archive.manifest_bytes
    secret = read_secret_key(key, lambda: read_password(password_file, f"Password for {key}"))
    sign_tarball(tarball, manifest, data, secret, days)


def statement_text(statement: ReleaseStatement) -> str:
    """Return a clause with the content of a statement."""
    return (
        f"{statement.name} {statement.vsn}, build {statement.build}, can be staged until "
        f"{statement.expires:%Y-%m-%d %H:%M} UTC"
    )


def read_password(file: Path | None, question: str, *, confirm: bool = False) -> bytes:
    """Return the first line of `file`; without a file, ask on the terminal. Raises Refused."""
    if file is None:
        if not sys.stdin.isatty():
            raise Refused("There is no terminal to ask for the password; pass --password-file.", ExitCode.USAGE)
        password = str(click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)).encode()
    else:
        try:
            with file.open("rb") as opened:
                password = opened.readline(MAX_PASSWORD_BYTES + 1).rstrip(b"\r\n")
        except OSError as error:
            raise Refused(f"The password file {file} can't be read: {error.strerror}.") from None
    if not 0 < len(password) <= MAX_PASSWORD_BYTES:
        raise Refused(f"A password has 1 to {MAX_PASSWORD_BYTES:,} bytes, but this one has {len(password):,}.")
    return password
