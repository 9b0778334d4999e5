"""Redacts secrets in texts: secrets with a telling name beside them, and secrets with a known form.

The time is proportional to the length of the text, and the length is limited: a text may come from a stranger, and it
is redacted on the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from node_runtime.protocol.escape import escape

from .known_secrets import Span, authorizations, json_web_tokens, known_tokens, private_keys, url_credentials
from .named_secrets import FINDERS, REDACTED

MAX_TEXT_LENGTH: Final = 1 << 16
"""Characters of a text that are examined and kept; the rest is left out."""
_MIN_LENGTH: Final = 5
_MIN_LENGTH_OF_WORD: Final = 16
"""A single word of letters and digits that is shorter is not a token, and it names no secret."""

_HINTS: Final = (
    "pass", "pwd", "pswd", "secret", "token", "key", "auth", "cred", "cookie", "jwt", "dsn", "salt", "otp", "sid",
    "cvv", "cvc", "psk", "pw", "csrf", "xsrf", "sess", "sig", "mnemonic", "seed", "connection", "userinfo", "://",
    "eyj", "bearer", "basic", "negotiate",
)  # fmt: skip
"""Each text with a secret contains, in lower case, one of these or one of `_PREFIXES`."""
_PREFIXES: Final = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "k_live_", "k_test_", "sk-",
    "hvs.", "shpat_", "dop_v1_", "ya29.", "aiza", "pypi-", "npm_", "hf_", "sg.", "akia", "asia", "$2", "$argon2",
    "hotdash1:", "hooks.slack", "/webhooks/", ":aa",
)  # fmt: skip
_KNOWN: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    known_tokens, json_web_tokens, private_keys, authorizations, url_credentials,
)  # fmt: skip


def redact(text: str) -> str:
    """Return `text` with `REDACTED` in place of each secret that is found. A very long text is cut."""
    if len(text) < _MIN_LENGTH or (len(text) < _MIN_LENGTH_OF_WORD and text.isalnum()):
        return text
    if len(text) > MAX_TEXT_LENGTH:
        rest = len(text) - MAX_TEXT_LENGTH
        return f"{redact(text[:MAX_TEXT_LENGTH])}… ({rest:,} more characters)"
    small = text.lower()
    if not _may_contain_secret(small):
        return text
    spans = [span for finder in (*_KNOWN, *FINDERS) for span in finder(text)]
    return _without(text, sorted(spans)) if spans else text


def shown(text: str) -> str:
    """Return `text` redacted, and with every unprintable character escaped: one line for people."""
    return escape(redact(text))


def _may_contain_secret(small: str) -> bool:
    for hint in _HINTS:  # a loop, because a generator would double the time, and most texts contain no hint
        if hint in small:
            return True
    return any(prefix in small for prefix in _PREFIXES)


def _without(text: str, spans: list[Span]) -> str:
    kept: list[str] = []
    at = 0
    for begin, end in spans:
        if begin >= at:
            kept += (text[at:begin], REDACTED)
        at = max(at, end)
    return "".join((*kept, text[at:]))
