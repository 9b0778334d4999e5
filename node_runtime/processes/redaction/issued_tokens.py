"""Finds tokens by the beginning that their issuer documents, such as `dckr_pat_` for Docker.

The text is searched for each beginning as a literal, which is fast. So this table may be long. A regular expression
with so many alternatives would be tried at each word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .known_secrets import Span

_LONG: Final = re.compile(r"(?=[^\s]{0,60}[0-9])[A-Za-z0-9_\-.+/=]{20,}+", re.ASCII)
_SOLID: Final = re.compile(r"(?=[A-Za-z]{0,40}[0-9])[A-Za-z0-9]{19,}+", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{32,}+", re.ASCII)
_CAPITALS: Final = re.compile(r"[A-Z0-9]{12,}+", re.ASCII)
_HASH: Final = re.compile(r"[A-Za-z0-9_\-./+=$,:]{16,}+", re.ASCII)
_DIGEST: Final = re.compile(r"\d{0,3}+\}[A-Za-z0-9+/=]{16,}+", re.ASCII)
_PRIVATE: Final = re.compile(r"(?!BDRVJU|BQVUJM)[A-Za-z0-9+/=]{16,}+", re.ASCII)
"""The rest of a PEM key that is encoded in base64 again, except certificates and public keys."""

_LONG_WORD: Final = re.compile(r"[\w.\-+/=$:{}]{16}", re.ASCII)
"""A token has at least this many characters."""
TOKEN_BEGINNINGS: Final[dict[str, re.Pattern[str]]] = {
    **dict.fromkeys((
        "gldt-", "glrt-", "glptt-", "glsoat-", "glft-", "glcbt-", "glagent-", "GR1348941", "GOCSPX-", "1//0",
        "dckr_pat_",
        "dckr_oat_", "dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "sq0atp-", "shpca_", "shppa_", "ATCTT3", "glc_", "PMAK-",
        "sb_secret_", "ccipat_", "CCIPAT_", "cfut_", "cfat_", "apify_api_", "napi_", "pscale_oauth_", "fo1_", "fm2_",
        "fio-u-", "xkeysib-", "nvapi-", "pplx-", "xai-", "t1.9euel", "ops_eyJ", "pat-na1-", "pat-eu1-", "AQVN", "y0_",
        "A3-", "xoxe.xox",
    ), _LONG),
    **dict.fromkeys((
        "ntn_", "secret_", "rubygems_", "ATBB", "NRAK-", "NRJS-", "nrii-", "r8_", "sbp_", "sgp_", "bkua_", "tfp_",
        "pul-",
        "lip_", "ABSK", "LTAI", "AKID",
    ), _SOLID),
    **dict.fromkeys(("key-", "dapi"), _HEX),
    **dict.fromkeys(("ABIA", "ACCA"), _CAPITALS),
    **dict.fromkeys(("$apr1$", "{CRYPT}", "scrypt:"), _HASH),
    **dict.fromkeys(("{SSHA", "{SHA"), _DIGEST),
    "LS0tLS1CRUdJTi": _PRIVATE,
}  # fmt: skip
"""The form of the rest of a token, by the token's beginning."""


def may_contain_token(text: str) -> bool:
    """Return False if the text certainly contains no token with one of the beginnings."""
    if _LONG_WORD.search(text) is None:
        return False
    for beginning in TOKEN_BEGINNINGS:  # noqa: SIM110  # any() and a generator would double the time
        if beginning in text:
            return True
    return False


def issued_tokens(text: str) -> Iterator[Span]:
    """Yield the place of each token that begins with a known prefix, such as `ghp_`. The prefix is included."""
    if not may_contain_token(text):
        return
    for beginning, rest in TOKEN_BEGINNINGS.items():
        at = text.find(beginning)
        while at >= 0:
            end = at + len(beginning)
            # the cheap check comes first: a rest that is matched in vain would be matched again at each next beginning
            if not text[at - 1 : at].isalnum() and (found := rest.match(text, end)) is not None:
                yield at, (end := found.end())
            at = text.find(beginning, end)
