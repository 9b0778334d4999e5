"""Secret keys in minisign's format. A key may be encrypted with a password.

2 bytes   "Ed", the algorithm of the signature
2 bytes   "Sc", scrypt, or two zero bytes for a key that is not encrypted
2 bytes   "B2", the algorithm of the checksum
32 bytes  the salt of scrypt
16 bytes  libsodium's limits of scrypt: operations and memory in bytes, each a little-endian number of 8 bytes
104 bytes the key's id (8), the Ed25519 seed (32), the public key (32) and the checksum (32); if the key is
          encrypted, XORed with the output of scrypt
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .minisign import KEY_ALGORITHM, UNTRUSTED_PREFIX, MalformedFile, PublicKey, Signature, decode_base64

_SCRYPT: Final = b"Sc"
_NOT_ENCRYPTED: Final = b"\0\0"
_CHECKSUM: Final = b"B2"
_BODY_BYTES: Final = 104
_KEY_BYTES: Final = 54 + _BODY_BYTES

DEFAULT_SCRYPT_MEMORY_BYTES: Final = 128 << 20
"""The memory that a guess of a new key's password needs. minisign's own keys need 1 GiB, which small machines lack."""
MAX_SCRYPT_MEMORY_BYTES: Final = 1 << 30
"""The most memory that a key file may demand: as much as minisign's own keys demand."""
MAX_SCRYPT_OPERATIONS: Final = 1 << 26
"""The most operations that a key file may demand: twice as many as minisign's own keys demand."""
_BLOCK: Final = 8
"""scrypt's parameter r; libsodium uses no other."""


class WrongPassword(Exception):
    """The password can't decrypt the key."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key: `id` has the 8 bytes by which a signature names it, `seed` the 32 bytes of the Ed25519 seed."""

    id: bytes
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to this secret key."""
        return PublicKey(self.id, self._private().public_key().public_bytes_raw())

    def sign(self, digest: bytes, trusted_comment: str) -> Signature:
        """Sign a file by its BLAKE2b-512 `digest`, together with `trusted_comment`."""
        private = self._private()
        of_file = private.sign(digest)
        return Signature(self.id, of_file, trusted_comment, private.sign(of_file + trusted_comment.encode()))

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def new_secret_key() -> SecretKey:
    """Return a new random key."""
    return SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))


def encode_secret_key(key: SecretKey, password: bytes | None) -> str:
    """Return the text of the key's file. The key is encrypted with `password`, unless `password` is None."""
    pair = key.id + key.seed + key.public.raw
    if password is None:
        kdf, salt, limits, body = _NOT_ENCRYPTED, bytes(32), bytes(16), pair + bytes(32)  # minisign writes no checksum
    else:
        operations = DEFAULT_SCRYPT_MEMORY_BYTES // 32
        kdf, salt = _SCRYPT, secrets.token_bytes(32)
        limits = operations.to_bytes(8, "little") + DEFAULT_SCRYPT_MEMORY_BYTES.to_bytes(8, "little")
        body = _xor(pair + _checksum(pair), _stream(password, salt, limits))
    line = base64.b64encode(KEY_ALGORITHM + kdf + _CHECKSUM + salt + limits + body).decode()
    kind = "secret key" if password is None else "encrypted secret key"
    return f"{UNTRUSTED_PREFIX}minisign {kind}\n{line}\n"


def is_encrypted(text: str) -> bool:
    """Return whether the key in the file's `text` needs a password. Raises MalformedFile."""
    return _key_bytes(text)[2:4] == _SCRYPT


def decode_secret_key(text: str, password: bytes | None) -> SecretKey:
    """Decode the `text` of a key's file. Raises MalformedFile, or WrongPassword."""
    data = _key_bytes(text)
    salt, limits, body = data[6:38], data[38:54], data[54:]
    if data[2:4] == _SCRYPT:
        body = _xor(body, _stream(password or b"", salt, limits))
        if not hmac.compare_digest(_checksum(body[:72]), body[72:]):
            raise WrongPassword
    key = SecretKey(body[:8], body[8:40])
    if key.public.raw != body[40:72]:
        raise MalformedFile("its secret part and its public part don't belong together")
    return key


def _key_bytes(text: str) -> bytes:
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].startswith(UNTRUSTED_PREFIX):
        raise MalformedFile("it is not a secret key in minisign's format")
    data = decode_base64(lines[1].strip(), _KEY_BYTES)
    if data[:2] != KEY_ALGORITHM or data[2:4] not in (_SCRYPT, _NOT_ENCRYPTED) or data[4:6] != _CHECKSUM:
        raise MalformedFile("it is not a secret key in minisign's format")
    return data


def _checksum(pair: bytes) -> bytes:
    return hashlib.blake2b(KEY_ALGORITHM + pair, digest_size=32).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _stream(password: bytes, salt: bytes, limits: bytes) -> bytes:
    """Return the bytes with which the body of a key is encrypted."""
    operations, memory = int.from_bytes(limits[:8], "little"), int.from_bytes(limits[8:], "little")
    if not 0 < memory <= MAX_SCRYPT_MEMORY_BYTES or operations > MAX_SCRYPT_OPERATIONS:
        raise MalformedFile("its password check needs more memory or time than minisign's keys do")
    cost, parallel = scrypt_parameters(operations, memory)
    needed = 128 * _BLOCK * (cost + parallel + 2) + (1 << 20)
    return hashlib.scrypt(
        password, salt=salt, n=cost, r=_BLOCK, p=parallel, maxmem=min(needed, (1 << 31) - 1), dklen=_BODY_BYTES
    )


def scrypt_parameters(operations: int, memory: int) -> tuple[int, int]:
    """Return scrypt's parameters N and p for libsodium's limits, as libsodium chooses them."""
    operations = max(operations, 1 << 15)
    if operations < memory // 32:
        return _cost(operations // (_BLOCK * 4)), 1
    cost = _cost(memory // (_BLOCK * 128))
    return cost, max(1, min(operations // 4 // cost, 0x3FFFFFFF) // _BLOCK)


def _cost(most: int) -> int:
    """Return the largest power of two that is not above `most`, but at least 2."""
    cost = 2
    while cost <= most // 2:
        cost *= 2
    return cost
