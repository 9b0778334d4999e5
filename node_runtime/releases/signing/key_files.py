"""The files of a key pair: NAME.key with the secret key, which only its owner can read, and NAME.pub."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from node_runtime.protocol.exit_codes import Refused

from .minisign import UNTRUSTED_PREFIX, MalformedFile, PublicKey
from .release_keys import RELEASE_ROLE
from .secret_key import SecretKey, WrongPassword, decode_secret_key, encode_secret_key, is_encrypted, new_secret_key

MAX_SECRET_FILE_BYTES: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def create_key_pair(path: Path, password: bytes | None, role: str = RELEASE_ROLE) -> PublicKey:
    """Create `path`.key and `path`.pub; return the public key. Raises Refused if one of the files exists.

    The secret key is encrypted with `password`, unless `password` is None.
    """
    if not _NAME.fullmatch(path.name):
        raise Refused(f"{path.name!r} is not a name for a key; use letters, digits, '.', '_', '-' and '@'.")
    secret = new_secret_key()
    public = secret.public
    settings = "" if role == RELEASE_ROLE else f'role = "{role}"\n'
    comment = f"{UNTRUSTED_PREFIX}minisign public key {public}"
    secret_file = path.with_name(f"{path.name}.key")
    _create(secret_file, encode_secret_key(secret, password), 0o600)
    try:
        _create(path.with_name(f"{path.name}.pub"), f"{comment}\n{public.encoded()}\n{settings}", 0o644)
    except Refused:
        secret_file.unlink()
        raise
    return public


def read_secret_key(path: Path, ask_password: Callable[[], bytes]) -> SecretKey:
    """Read a secret key; `ask_password` is called if it is encrypted. Raises Refused."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise Refused(
                    f"{path} is open to other users (mode {mode:04o}), so they may know the key; if you still trust "
                    f"the key, run `chmod 600 {path}`."
                )
            text = file.read(MAX_SECRET_FILE_BYTES).decode(errors="replace")
        return decode_secret_key(text, ask_password() if is_encrypted(text) else None)
    except OSError as error:
        raise Refused(f"The secret key {path} can't be read: {error.strerror}.") from None
    except MalformedFile as error:
        raise Refused(f"{path} is not a secret key that can be used: {error}.") from None
    except WrongPassword:
        raise Refused(f"The password for {path} is wrong.") from None


def _create(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise Refused(f"{path} exists already; choose another name, or remove it if no node needs it.") from None
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise Refused(f"{path} can't be written: {error.strerror}.") from None
