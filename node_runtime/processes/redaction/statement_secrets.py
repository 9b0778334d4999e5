"""Finds secrets in statements of languages and protocols: SQL, Redis, mail, chat, files of programs, and paths of URLs.

Each pattern is possessive (it never gives back what it has matched) and examines only parts of limited length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from .known_secrets import Span
from .named_secrets import end_of_brackets
from .rare_patterns import compiled

_WITH_LETTER_AND_DIGIT: Final = r"(?=[^\s'\"]{0,80}[0-9])(?=[^\s'\"]{0,80}[A-Za-z])"
_HOST: Final = r"[\w.*\-]{1,100}+"
_ECHO: Final = (
    r"\becho[ \t]++(?:-\w{1,3}[ \t]++)?['\"]?(?:[^\s'\"|:]{1,100}+:)?([^\s'\"|]{1,200}+)['\"]?[ \t]*+\|[ \t]*+"
)
"""A password that is piped into another command, perhaps after a user."""
_SENT: Final = r"\b(?:[Vv]erification|[Cc]onfirmation|[Ss]ecurity|[Ll]ogin|[Oo]ne-time|2FA) (?:pass)?"
_PAGES: Final = r"reset|verify|invite|confirm|magic|magic-link|reset-password|password-reset|password/reset"
"""Pages whose address has a token as its next part."""
_STATEMENTS: Final = (
    # Redis: requirepass, ACL SETUSER, AUTH with a user
    ("requirepass", r"\brequirepass[ \t]++['\"]?([^\s'\"]++)"),
    ("masterauth", r"\bmasterauth[ \t]++['\"]?([^\s'\"]++)"),
    ("setuser", r"(?i)\bsetuser[ \t][^\n>#]{0,100}+[>#]([^\s'\"]++)"),
    ("auth ", rf"\bAUTH [A-Za-z][\w.\-]{{0,60}}+ {_WITH_LETTER_AND_DIGIT}([^\s'\"]{{6,}}+)"),
    # IMAP, IRC
    ("login ", rf"\bLOGIN ['\"]?[^\s'\"]{{1,100}}+['\"]? ['\"]?{_WITH_LETTER_AND_DIGIT}([^\s'\"]{{6,}}+)"),
    ("identify ", rf"\bIDENTIFY (?:[\w\-]{{1,40}}+ )?{_WITH_LETTER_AND_DIGIT}([^\s'\"]{{6,}}+)"),
    # devices: the digit says how the password is encoded
    ("password ", rf"\bpassword [05789] {_WITH_LETTER_AND_DIGIT}([^\s'\"]{{4,}}+)"),
    ("secret ", rf"\bsecret [05789] {_WITH_LETTER_AND_DIGIT}([^\s'\"]{{4,}}+)"),
    ("community ", r"\bsnmp-server community ([^\s'\"]++)"),
    # shells
    ("sudo", rf"{_ECHO}sudo[ \t]++-\w{{0,6}}S"),
    ("chpasswd", rf"{_ECHO}(?:sudo[ \t]++)?chpasswd"),
    # names of data sources: of Go, Oracle, FTP and PostgreSQL (.pgpass)
    ("@", r"(?<![\w.\-%:])[\w.\-%]{1,100}+:([^\s@/'\"]{1,200}+)@(?:tcp|udp|unix)\("),
    ("thin:", r"\bthin:[^\s/@'\"]{1,100}+/([^\s@'\"]{1,200}+)@"),
    ("@", rf"(?<![\w.\-%:/@])[A-Za-z][\w.\-]{{0,60}}+:{_WITH_LETTER_AND_DIGIT}([^\s:@/'\"]{{6,100}}+)@{_HOST}:\d"),
    (
        ":",
        rf"(?m)^{_HOST}:(?:\d{{4,5}}|\*):[^:\s]{{1,60}}+:[^:\s]{{1,60}}+:(?=[^\s]{{0,80}}[A-Za-z])([^\s:]{{4,}}+)\r?$",
    ),
    # codes that are sent to people
    ("code", rf"{_SENT}code(?: is|:) ([0-9A-Z\-]{{4,12}}+)\b"),
    ("otp is", r"\bOTP is (?=[^\s'\"]{0,80}[0-9])([^\s'\"]{4,}+)"),
    # paths and parameters of URLs
    ("/", rf"/(?:{_PAGES})/(?=[\w\-]{{0,60}}[0-9])([\w\-]{{16,}}+)"),
    ("=", r"(?i)[?&](?:ticket|samlresponse|hmac|magic|assertion)=([^\s&'\"#]{8,}+)"),
    # keys of PuTTY, with ends of lines as they are or escaped
    (
        "private-lines",
        r"Private-Lines: \d{1,4}+(?:\r?\n|(?:\\{1,4}+r)?\\{1,4}+n)((?:(?!Private-MAC)[\s\S]){1,8000})",
    ),
    ("private-mac", r"Private-MAC: ([0-9A-Za-z]{8,}+)"),
)
"""Patterns, each with a hint: every text that matches contains the hint in lower case. The only group is the secret."""
_CRYPT: Final = re.compile(
    r"\b(?:aes_(?:en|de)crypt|pgp_sym_(?:en|de)crypt|(?:en|de)cryptbypassphrase|(?:en)?crypt)\(", re.IGNORECASE
)
"""The beginning of a call of a function of SQL that gets a key or a password."""
_RSA_KEY: Final = "<RSAKeyValue>"
_RSA_PART: Final = re.compile(r"<(?:D|P|Q|DP|DQ|InverseQ)>([A-Za-z0-9+/=]++)</", re.ASCII)
"""A private part of a key in the XML form of .NET."""
_WITH_STRING: Final = re.compile(r"[^()]{0,200}['\"]")


def statement_secrets(text: str) -> Iterator[Span]:
    """Yield the secrets in statements, lines of files and URLs whose form is known."""
    small = text.lower()
    for hint, pattern in _STATEMENTS:
        if hint in small:
            for found in compiled(pattern, re.ASCII).finditer(text):
                yield found.span(1)


def encryption_arguments(text: str) -> Iterator[Span]:
    """Yield the arguments of SQL functions that encrypt or decrypt. A call without a string argument has no secret."""
    at = 0
    while (found := _CRYPT.search(text, at)) is not None:
        at = found.end()
        if _WITH_STRING.match(text, at):
            end = end_of_brackets(text, at - 1)
            yield at, max(at, end - text.endswith(")", at, end))
            at = max(at, end)


def xml_key_parts(text: str) -> Iterator[Span]:
    """Yield the private parts of RSA keys in XML."""
    if _RSA_KEY in text:
        for found in _RSA_PART.finditer(text):
            yield found.span(1)


STATEMENT_FINDERS: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    statement_secrets, encryption_arguments, xml_key_parts,
)  # fmt: skip
