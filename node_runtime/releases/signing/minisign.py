"""Public keys and signatures in minisign's format, and the check of a signature.

A signature has two Ed25519 signatures: one of the BLAKE2b-512 digest of the file, and one of the first signature
together with the trusted comment. Signatures of the older kind, which sign the file itself and not its digest, are
refused: minisign has not made them by default since version 0.10.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

KEY_ALGORITHM: Final = b"Ed"
SIGNATURE_ALGORITHM: Final = b"ED"
"""Ed25519 of the BLAKE2b-512 digest of the file."""
KEY_ID_BYTES: Final = 8
UNTRUSTED_PREFIX: Final = "untrusted comment: "
TRUSTED_PREFIX: Final = "trusted comment: "


class MalformedFile(ValueError):
    """A file that is not in minisign's format. The message is a clause that says what is wrong with the file."""


class PublicKey(msgspec.Struct, frozen=True):
    """A public key: `id` has the 8 bytes by which a signature names it, `raw` the 32 bytes of the Ed25519 key."""

    id: bytes
    raw: bytes

    def __str__(self) -> str:
        """Return the key's id as minisign prints it: 16 hexadecimal digits."""
        return key_id_text(self.id)

    def encoded(self) -> str:
        """Return the key as the line that `minisign -P` takes."""
        return base64.b64encode(KEY_ALGORITHM + self.id + self.raw).decode()


class Signature(msgspec.Struct, frozen=True):
    """A signature of a file by the key with the id `key_id`, and the signature of its trusted comment."""

    key_id: bytes
    of_file: bytes
    trusted_comment: str
    of_comment: bytes

    def encoded(self, untrusted_comment: str) -> str:
        """Return the text of the signature file."""
        of_file = base64.b64encode(SIGNATURE_ALGORITHM + self.key_id + self.of_file).decode()
        lines = (
            f"{UNTRUSTED_PREFIX}{untrusted_comment}",
            of_file,
            f"{TRUSTED_PREFIX}{self.trusted_comment}",
            base64.b64encode(self.of_comment).decode(),
        )
        return "".join(f"{line}\n" for line in lines)


def key_id_text(key_id: bytes) -> str:
    """Return a key's id as minisign prints it: 16 hexadecimal digits of a little-endian number."""
    return f"{int.from_bytes(key_id, 'little'):016X}"


def decode_public_key(line: str) -> PublicKey:
    """Decode a public key from its line of base64. Raises MalformedFile."""
    data = decode_base64(line, len(KEY_ALGORITHM) + KEY_ID_BYTES + 32)
    if not data.startswith(KEY_ALGORITHM):
        raise MalformedFile("it is not an Ed25519 key")
    return PublicKey(data[2:10], data[10:])


def decode_signature(data: bytes) -> Signature:
    """Decode the content of a signature file. Raises MalformedFile."""
    try:
        lines = data.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise MalformedFile("it is not UTF-8") from None
    lines = [line.removesuffix("\r") for line in lines]
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED_PREFIX) or not lines[2].startswith(TRUSTED_PREFIX):
        raise MalformedFile("it is not a signature in minisign's format")
    of_file = decode_base64(lines[1], len(SIGNATURE_ALGORITHM) + KEY_ID_BYTES + 64)
    if of_file.startswith(b"Ed"):
        raise MalformedFile("it is a signature of minisign's older kind; sign with minisign 0.10 or newer")
    if not of_file.startswith(SIGNATURE_ALGORITHM):
        raise MalformedFile("it is not an Ed25519 signature")
    return Signature(of_file[2:10], of_file[10:], lines[2].removeprefix(TRUSTED_PREFIX), decode_base64(lines[3], 64))


def is_valid(signature: Signature, key: PublicKey, digest: bytes) -> bool:
    """Return whether `key` has signed both the trusted comment and the file whose BLAKE2b-512 digest is `digest`.

    `cryptography` is imported inside the function, because only nodes with release keys need it: the import takes 14 MB
    of memory and a fifth of the time of a boot.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signature.key_id != key.id:
        return False
    try:
        public = Ed25519PublicKey.from_public_bytes(key.raw)
        public.verify(signature.of_file, digest)
        public.verify(signature.of_comment, signature.of_file + signature.trusted_comment.encode())
    except (InvalidSignature, ValueError):  # ValueError: the key's bytes are not a point on the curve
        return False
    return True


def decode_base64(line: str, size: int) -> bytes:
    """Decode a line of base64 that must have `size` bytes. Raises MalformedFile."""
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedFile("it is not in minisign's format") from None
    if len(data) != size:
        raise MalformedFile(f"it is not in minisign's format: a line has {len(data)} bytes, not {size}")
    return data
