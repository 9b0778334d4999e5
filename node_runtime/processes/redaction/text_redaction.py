"""Redacts secrets in texts: secrets beside a name such as `password`, and secrets with a known form.

A text may come from a stranger and is redacted on the event loop. So the time must be proportional to the length of the
text, and the length is limited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from node_runtime.protocol.escape import escape

from .command_secrets import PROGRAMS, command_passwords
from .indirect_names import INDIRECT_FINDERS
from .issued_tokens import issued_tokens, may_contain_token
from .known_secrets import (
    Span,
    authorizations,
    json_web_tokens,
    known_tokens,
    private_keys,
    url_credentials,
    urls_without_scheme,
)
from .named_secrets import FINDERS, REDACTED
from .secret_names import FOREIGN_WORDS
from .statement_secrets import STATEMENT_FINDERS

MAX_TEXT_LENGTH: Final = 1 << 16
"""The number of characters of a text that are kept; the rest is left out."""
MAX_SECRET_LENGTH: Final = 1000
"""This many characters after the kept part are also examined, because a secret may extend into them.

Otherwise a cut could separate a secret from the text by which it is recognized, such as the `@` after a password.
"""
_MIN_LENGTH: Final = 5
_MIN_LENGTH_OF_WORD: Final = 16
"""A single word with fewer characters can't be a token."""
_WORD: Final = re.compile(r"[\w.\-]{1,200}+\Z", re.ASCII)
"""A text that is a single word, such as the name of a process. A single word can't contain both a name and a secret.

The check for this comes first, because most texts that a node sends are single words.
"""

# Most texts have no secret. So a text is first searched for hints: every text with a secret contains one.
_HINTS: Final = (
    "//", "hotdash1:", "pass", "pwd", "secret", "token", "key", "cred", "jwt", "cookie", "bearer", "basic",
    "negotiate", "kennwort", "identified", "identify ", "auth ", "%3d", "pbkdf2", "masterauth", "community", "setuser",
    "login", "crypt", "pincode", "pin_code", "pin-code", "rsakeyvalue", "private-lines", "private-mac",
    "rabbitmqctl", "sqlplus", "otp is", "pw ", "/reset", "/verify/", "/invite/", "/confirm/", "/magic",
    "fication code", "irmation code", "urity code", "-time code", "2fa code",
)  # fmt: skip
"""Hints, in lower case. Every text with a secret contains one of these hints, or a separator and one of
`_HINTS_IN_NAMES`, or one of `_TOKEN_BEGINS`, or a line of .pgpass.
"""
_HINTS_IN_NAMES: Final = (
    "auth", "dsn", "salt", "otp", "sid", "cvv", "cvc", "psk", "pswd", "pw", "csrf", "xsrf", "sess", "sig", "mnemonic",
    "seed", "conn", "kty", "recovery", "backup",
    "?code=", "&code=", "losenord", "salasana", "heslo", "parola",
    "userinfo", "ticket", "saml", "hmac", "magic", "assertion", "@", "unlock", "access",
    "motdepasse", "wachtwoord", "contrasena", "senha",
)  # fmt: skip
_TOKEN_BEGINS: Final = (
    "eyJ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "k_live_", "k_test_", "sk-",
    "hvs.", "shpat_", "dop_v1_", "ya29", "AIza", "pypi-", "npm_", "hf_", "SG.", "AKIA", "ASIA", "AGE-SECRET", "$2",
    "$argon2", "$1$", "$5$", "$6$", "$y$", "gsk_", "whsec_", "glsa_", "shpss_", "doo_v1_", "lin_api_", "sntry", "nfp_",
    "figd_", "pscale_", "CFPAT-", "ATATT3", "tskey-", "hvb.", "sq0csp-", ".local.", "xprv9", "hooks.slack",
    "/webhooks/", ":AA",
)  # fmt: skip
"""Parts of tokens, in upper and lower case as issuers write them. Every text with a token contains one of these, or has
one of `issued_tokens`.
"""
_OPTION_BEGINS: Final = (" -", "'-", '"-', "/p:", "/user")
"""Every command with a password in an option contains one of these."""
_COLONS_OF_PGPASS: Final = 4
_PORT: Final = re.compile(r":(?:[0-9]{4,5}|\*):")
"""The port in a line of .pgpass, which is `host:port:database:user:password`."""
_KNOWN: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    known_tokens, issued_tokens, json_web_tokens, private_keys, authorizations, url_credentials, urls_without_scheme,
    command_passwords,
)  # fmt: skip


def redact(text: str) -> str:
    """Return `text` with `REDACTED` in place of each secret that is found. A very long text is cut."""
    if len(text) < _MIN_LENGTH or (len(text) < _MIN_LENGTH_OF_WORD and text.isalnum()):
        return text
    if _WORD.match(text) is not None and (len(text) < _MIN_LENGTH_OF_WORD or not _may_contain_token(text)):
        return text
    if len(text) > MAX_TEXT_LENGTH:
        rest = len(text) - MAX_TEXT_LENGTH
        return f"{redact_beginning(text, MAX_TEXT_LENGTH)}… ({rest:,} more characters)"
    return _without(text, _find_secrets(text), len(text)) if _may_contain_secret(text) else text


def redact_beginning(text: str, length: int) -> str:
    """Return the first `length` characters of `text`, redacted.

    A secret that extends over the cut is replaced as a whole. If the text were cut first, the secret's beginning would
    be shown. If it were redacted first, characters after `length` would be shown, and the examined part may end within
    a secret.
    """
    if len(text) <= length:
        return redact(text)
    examined = text[: length + MAX_SECRET_LENGTH]
    return _without(examined, _find_secrets(examined), length) if _may_contain_secret(examined) else text[:length]


def shown(text: str) -> str:
    """Return `text` redacted, and with every unprintable character escaped: one line for people."""
    return escape(redact(text))


def _may_contain_secret(text: str) -> bool:
    small = text.lower()
    if _contains(small, _HINTS):
        return True
    if not text.isascii() and _contains(small, FOREIGN_WORDS):
        return True
    if _contains(small, _OPTION_BEGINS) and _contains(small, PROGRAMS):
        return True
    separated = "=" in small or ":" in small or "'" in small or '"' in small or "<" in small or "-" in small
    if separated and _contains(small, _HINTS_IN_NAMES):
        return True
    if small.count(":") >= _COLONS_OF_PGPASS and _PORT.search(small) is not None:
        return True
    return _may_contain_token(text)


def _may_contain_token(text: str) -> bool:
    return _contains(text, _TOKEN_BEGINS) or may_contain_token(text)


def _contains(text: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:  # noqa: SIM110  # any() and a generator would double the time
        if hint in text:
            return True
    return False


def _find_secrets(text: str) -> list[Span]:
    return sorted(
        span for finder in (*_KNOWN, *FINDERS, *INDIRECT_FINDERS, *STATEMENT_FINDERS) for span in finder(text)
    )


def _without(text: str, secrets: list[Span], length: int) -> str:
    """Return the first `length` characters of the text, with `REDACTED` in place of each secret that begins there."""
    kept: list[str] = []
    at = 0
    for begin, end in secrets:
        if begin >= length:
            break
        if begin >= at:
            kept += (text[at:begin], REDACTED)
        at = max(at, end)
    return "".join((*kept, text[at:length]))
