"""Finds secrets by their own form: URL credentials, tokens, JWTs, keys in PEM, authorization headers.

Each function yields the start and the end of each part that must be hidden. The time of a call is proportional to the
length of the text, because no pattern scans more than a limited part of the text twice.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

Span: TypeAlias = "tuple[int, int]"
"""The start and the end of a part of a text."""

MAX_URL_LENGTH: Final = 2000
"""The end of a URL's credentials is searched for within this number of characters after `://`."""

_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|[sr]k_(?:live|test)_|shpat_|dop_v1_|hvs\.|ya29\.|AIza|pypi-"
    r"|gsk_|whsec_|glsa_|shpss_|doo_v1_|lin_api_|sntry[su]_|nfp_|figd_|pscale_(?:tkn|pw)_|CFPAT-|ATATT3|tskey-|hvb\."
    r"|sq0csp-|v[1-4]\.local\.|xprv9|\$[156y]\$|\$2[aby]\$|\$argon2\w{1,4}\$|pbkdf2[_:]sha\d{1,3}[$:]"
    r"|AGE-SECRET-KEY-|untrusted comment: minisign encrypted secret key\s{1,2})"
    r"[A-Za-z0-9_\-./+=$,]{8,}+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}+"
    r"|sk-[A-Za-z0-9_\-]{16,}+"
    r"|SG\.[A-Za-z0-9_\-]{16,}+\.[A-Za-z0-9_\-]{16,}+"
    r"|(?:npm_|hf_)[A-Za-z0-9]{30,}+"
    r"|(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/[A-Za-z0-9_\-/]{8,}+"
    r"|(?:bot)?[0-9]{8,12}:AA[A-Za-z0-9_\-]{30,}+"
    r"|hotdash1:[a-z]{1,20}:[^\s'\"]{8,}+)"
)
"""Cookies of nodes, password hashes, and tokens whose beginning is documented by their issuer."""
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]*+(?>(?:\.[A-Za-z0-9_\-]*+)*)")
MIN_JWT_LENGTH: Final = 20
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
_PEM_END: Final = "-----END"
_SCHEME: Final = re.compile(
    r"\b(bearer|basic|negotiate|token)(?:,?[ \t]{1,4}+)([A-Za-z0-9+/._~\-]{6,}+=*+)", re.IGNORECASE
)
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_NO_SCHEME: Final = re.compile(r"(?<![:/\w])//[^\s/:@'\"]{1,100}+:([^\s/@'\"]{1,200}+)@")
_AUTHORITY: Final = re.compile(r"(?<![A-Za-z])(?:netloc|authority)['\"]?+[:=]\s?+b?['\"]([^\s@'\"]{1,300}+)@")
"""The user and the password in the repr of a parsed URL: `netloc='ana:…@host'`."""
_URL_END: Final = re.compile(r"[\s\"'<>\\]")
_SCHEMES_WITH_USERS: Final = ("ssh", "sftp", "rsync", "git", "sip", "sips", "xmpp", "imap", "smtp", "mailto")
"""In a URL with one of these schemes, a user without a password is a name. With other schemes, it may be a token."""
_NO_PASSWORDS: Final = ("", "x", "X", "x-oauth-basic")
"""Passwords in URLs that only fill the place of a password, because the user is a token."""


def known_tokens(text: str) -> Iterator[Span]:
    """Yield tokens that begin like those of known services: `ghp_…`, `AKIA…`. The beginning is hidden, too."""
    for found in _TOKEN.finditer(text):
        yield found.span()


def json_web_tokens(text: str) -> Iterator[Span]:
    """Yield JWTs, and other JSON objects in base64."""
    for found in _JWT.finditer(text):
        if found.end() - found.start() >= MIN_JWT_LENGTH or "." in found.group():
            yield found.span()


def private_keys(text: str) -> Iterator[Span]:
    """Yield the private keys in PEM. A key without a line for its end extends to the end of the text."""
    at = 0
    while (found := _PEM.search(text, at)) is not None:
        end = text.find(_PEM_END, found.end())
        at = len(text) if end < 0 else end
        yield found.end(), at


def authorizations(text: str) -> Iterator[Span]:
    """Yield the credentials after the scheme of an authorization header: `Bearer …`, `Basic …`."""
    for found in _SCHEME.finditer(text):
        scheme, credentials = found[1].lower(), found[2]
        if scheme == "basic":
            is_secret = _is_user_and_password(credentials)
        else:
            is_secret = scheme == "bearer" or any(c.isdigit() for c in credentials)
        if is_secret:
            yield found.span(2)


def _is_user_and_password(encoded: str) -> bool:
    try:
        return b":" in base64.b64decode(encoded[:400].rstrip("=")[: len(encoded) // 4 * 4 or 4] + "==", validate=False)
    except (binascii.Error, ValueError):
        return False


def url_credentials(text: str) -> Iterator[Span]:
    """Yield the passwords in URLs. If a URL has no password, and its user may be a token, yield the user.

    A password may contain `/` and `@`, although a URL should encode them. If the text ends before the host, everything
    that could be a password is yielded.
    """
    at = end = 0
    while (at := text.find("://", at)) >= 0:
        begin = at + 3
        if begin > end:  # several URLs may be in one word: search for the end of a word only once
            limit = min(len(text), begin + MAX_URL_LENGTH)
            end = found.start() if (found := _URL_END.search(text, begin, limit)) else limit
        credentials = _credentials(text[max(0, at - 12) : at], text[begin:end], cut=end == len(text))
        at = begin if credentials is None else begin + credentials[1]
        if credentials is not None:
            yield begin + credentials[0], begin + credentials[1]


def urls_without_scheme(text: str) -> Iterator[Span]:
    """Yield the passwords in URLs that begin with `//`, and the credentials in reprs of parsed URLs."""
    for pattern in (_NO_SCHEME, _AUTHORITY):
        for found in pattern.finditer(text):
            yield found.span(1)


def _credentials(scheme: str, url: str, *, cut: bool) -> Span | None:
    """Return the span of the credentials in `url`, the part after `://`; None without credentials.

    `cut` is True if the text ends directly after `url`.
    """
    end = found.start() if (found := _AUTHORITY_END.search(url)) else len(url)
    at = url.rfind("@", 0, end)
    user, colon, rest = url[: end if at < 0 else at].partition(":")
    if (at < 0 or at == end - 1) and colon and not rest[:5].isdigit() and not url.startswith("["):
        at = url.rfind("@")
        if at < 0 and cut and end == len(url):
            at = len(url)
    if at < 0:
        return None
    if colon and url[len(user) + 1 : at] in _NO_PASSWORDS:
        return (0, len(user)) if user else None
    if colon:
        return (len(user) + 1, at) if at > len(user) + 1 else None
    name = scheme.rpartition("+")[2].lower()
    return None if not user or name.endswith(_SCHEMES_WITH_USERS) else (0, at)
