"""Recognizes the names of secrets by whole words: `db_password`, `apiKey`, `X-Auth-Token`, but not `keyboard`.

A name is split into words at everything that is not a letter, and where lower case changes to upper case. Two adjacent
words count as one, too, so `pass_word` and `session_id` are `password` and `sessionid`. A word may have a plural `s`.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final


class Secrecy(IntEnum):
    """The part of a value that is hidden because of the value's name. None and booleans are always shown."""

    OPEN = 0
    """Nothing is hidden."""
    NO_NUMBERS = 1
    """Everything but numbers is hidden: the number in `tokens=300` or `key=7` only counts or identifies something."""
    HIDDEN = 2
    """Everything is hidden."""


SECRET_WORDS: Final = frozenset({
    "password", "passwd", "pwd", "pswd", "passphrase", "passcode", "passkey", "passwort", "htpasswd", "secret", "token",
    "jwt", "bearer", "credential", "cred", "cookie", "authorization", "dsn", "csrf", "xsrf", "mnemonic", "seedphrase",
    "connectionstring", "sessionid", "sessid", "phpsessid", "jsessionid", "apikey", "authkey", "accesskey",
    "accountkey", "privatekey", "privkey", "secretkey", "sessionkey", "sharedkey", "sshkey", "userpass", "dbpass",
    "authcode", "connstr", "recoverycode", "backupcode", "kennwort", "motdepasse", "wachtwoord",
    "contrasena", "senha", "losenord", "salasana", "heslo", "parola", "pincode", "storepass", "keypass",
    "appkey", "masterkey", "signingkey", "encryptionkey", "rootpw", "adminpw",
    "walletseed", "otpseed", "totpseed", "unlockcode", "accesscode",
})  # fmt: skip
"""Words that make a name secret at any place in the name, unless its last word is one of ABOUT_WORDS."""
FOREIGN_WORDS: Final = (
    "contraseña", "lösenord", "hasło", "şifre", "пароль", "密码", "密碼", "口令", "パスワード", "비밀번호", "סיסמה",
)  # fmt: skip
"""Words for passwords that are not ASCII. They make a name secret at any place in the name."""
SECRET_ENDINGS: Final = ("password", "passwd", "passphrase", "secret", "token", "apikey", "credential")
"""A word with one of these endings is treated as a SECRET_WORD: `pgpassword`, `authtoken`, `clientsecret`."""
SECRET_LAST_WORDS: Final = frozenset({
    "key", "auth", "oauth", "pass", "pw", "userinfo", "psk", "salt", "otp", "totp", "sid", "cvv", "cvc",
})  # fmt: skip
"""Words that make a name secret if they are its last word, or if only VALUE_WORDS follow."""
VALUE_WORDS: Final = frozenset({
    "value", "data", "bytes", "text", "string", "str", "raw", "material", "header", "pem", "der", "hex", "base", "b",
    "code", "old", "new", "current", "previous", "default", "env",
})  # fmt: skip
"""Words that may follow one of SECRET_LAST_WORDS, as in `key_hex`. They say only the form or the use of the value."""
OPEN_KEYS: Final = frozenset({
    "public", "pub", "primary", "foreign", "unique", "natural", "composite", "partition", "shard", "sort", "order",
    "group", "index", "lookup", "search", "cache", "routing", "row", "column", "dict", "map", "hash", "object",
    "bucket", "translation", "message", "registry", "idempotency", "dedup", "first", "last", "next", "prev", "previous",
    "min", "max", "arrow", "hot", "function", "enter", "escape", "shift", "up", "down", "left", "right", "on",
})  # fmt: skip
"""Words before `key` that make a name open: `primary_key`, `on_key`."""
ABOUT_WORDS: Final = frozenset({
    "age", "algorithm", "attempt", "bucket", "count", "domain", "enabled", "endpoint", "error", "exception", "expiry",
    "expire", "failure", "field", "file", "filename", "format", "kind", "label", "len", "length", "lifetime", "limit",
    "max", "min", "name", "path", "policy", "prompt", "required", "round", "samesite", "size", "timeout", "ttl", "type",
    "usage", "used", "version", "warning",
})  # fmt: skip
"""Last words of names that say something about a secret: `password_length`, `TokenError`."""

MAX_NAME_LENGTH: Final = 200
"""The number of characters at the end of a name that are examined."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def is_secret_name(name: str) -> bool:
    """Return whether a text with the name `name` is a secret. A number with this name may be open: see `secrecy_of`."""
    return secrecy_of(name) is not Secrecy.OPEN


def is_secret_header(name: str) -> bool:
    """Return whether `name` is the name of a secret in a pair of texts, a name and a value.

    In a pair, `key` and `keys` alone don't count, because each of them may also be a value.
    """
    return name.lower() not in ("key", "keys") and is_secret_name(name)


def secrecy_of(name: str) -> Secrecy:
    """Return which part of a value with the name `name` must be hidden. The time is bounded for every name."""
    return _secrecy(name[-MAX_NAME_LENGTH:])


@lru_cache(maxsize=4096)
def _secrecy(name: str) -> Secrecy:
    if not name.isascii() and any(word in unicodedata.normalize("NFC", name.lower()) for word in FOREIGN_WORDS):
        return Secrecy.HIDDEN
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return Secrecy.OPEN
    if not _singular(words[-1], ABOUT_WORDS):
        joined = [one + other for one, other in pairwise(words)]
        for word in (*words, *joined):
            if word in SECRET_WORDS or word.endswith(SECRET_ENDINGS):
                return Secrecy.HIDDEN
            if _singular(word, SECRET_WORDS) or word.removesuffix("s").endswith(SECRET_ENDINGS):
                return Secrecy.NO_NUMBERS
    return _secrecy_of_last(words)


def _secrecy_of_last(words: list[str]) -> Secrecy:
    while len(words) > 1 and words[-1] in VALUE_WORDS and words[-1] not in SECRET_LAST_WORDS:
        words = words[:-1]
    last = words[-1]
    if not _singular(last, SECRET_LAST_WORDS):
        return Secrecy.OPEN
    if last in ("key", "keys"):
        return Secrecy.OPEN if len(words) > 1 and words[-2] in OPEN_KEYS else Secrecy.NO_NUMBERS
    return Secrecy.HIDDEN


def _singular(word: str, words: frozenset[str]) -> bool:
    """Return whether the word, or the word without a plural `s`, is one of `words`."""
    return word in words or (word.endswith("s") and word[:-1] in words)
