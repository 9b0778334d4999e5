"""Finds secrets whose names are not directly before them, but in a neighbouring field, a class name or a command.

Each pattern is possessive (it never gives back what it has matched) and examines only parts of limited length.
A repeated group is atomic instead, `(?>(?:…)*)`. Before Python 3.11.5, a possessive repetition of a group wrongly keeps
the text of its last, failed attempt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from .known_secrets import Span
from .named_secrets import REDACTED, end_of_brackets, quoted
from .secret_names import is_secret_header, is_secret_name

_QUOTES: Final = r"\\{0,7}+['\"]?"
_FIELD_AND_VALUE: Final = re.compile(
    rf"(?<![\w.\-])(?:name|key|field|header|variable){_QUOTES}\s{{0,4}}+[:=]\s{{0,4}}+{_QUOTES}([\w.\-]{{1,100}}+){_QUOTES}"
    rf"[\s,;]{{1,20}}+{_QUOTES}(?:value|val|content){_QUOTES}\s{{0,4}}+[:=]\s{{0,4}}+",
    re.ASCII | re.IGNORECASE,
)
"""A field with a name, and a field with the value of this name, as in `{"name": "API_KEY", "value": …}`."""
_BARE: Final = re.compile(rf"(?!{REDACTED})[^\s,;}}\]>]++")
_END_OF_LINE: Final = r"(?:\r?\n|\\r\\n)"
_FORM_FIELD: Final = re.compile(
    rf"\bname=\\?['\"]?([\w.\-]{{1,100}}+)\\?['\"]?(?:;[^\r\n\\]{{0,200}}+)?"
    rf"(?>(?:{_END_OF_LINE}(?![\r\n\\])[^\r\n\\]{{1,200}}+){{0,4}}){_END_OF_LINE}{{2}}((?>(?:(?!\\r\\n)[^\r\n])+))",
    re.ASCII,
)
"""A field of a form as browsers send it: a header with the field's name, an empty line, and the value."""
_CLASS: Final = re.compile(r"(?<!\w)([A-Z]\w{1,100}+)\((?=[bru]?['\"]|[A-Za-z_]\w{0,100}+=)", re.ASCII)
"""The beginning of an object's repr."""
_COMPLAINT: Final = re.compile(r"_*(?:Invalid|Missing|Bad|No|Not|Expired|Unknown|Wrong|Incorrect|Unexpected)(?![a-z])")
"""The beginning of the name of an exception that complains about a secret, such as InvalidToken."""
_ENCODED: Final = re.compile(
    r"(?:%[0-9A-Fa-f]{2}|(?<![\w.\-%]))([\w.\-]{1,100}+)%3[DdAa]((?>(?:(?!%26)[^\s&'\"<>])+))", re.ASCII
)
"""A name and a value in a URL's parameter that is itself a URL or a form: `token%3D…`."""
_IDENTIFIED: Final = re.compile(
    r"\bidentified\s{1,4}+(?>(?:with\s{1,4}+[^\s]{1,60}+\s{1,4}+)?)(?:by|as)\s{1,4}+(?>(?:password\s{1,4}+)?)(?=['\"])",
    re.IGNORECASE,
)
"""The words before a password in SQL."""
_LOGIN: Final = re.compile(
    r"(?<![\w.\-])(?:PASS|AUTH(?>(?: (?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5|default))?)) "
    r"(?=[^\s'\"]{0,80}[0-9=])(?=[^\s'\"]{0,80}[A-Za-z])([^\s'\"\\]{6,}+)",
    re.ASCII,
)
"""A password in a command of SMTP, POP3, FTP or Redis."""
_KEY_TYPE: Final = re.compile(r"['\"]kty\\{0,7}+['\"]")
_KEY_PART: Final = re.compile(rf"(?<!\w)(['\"])(?:d|k|p|q|dp|dq|qi)\\{{0,7}}+['\"]\s{{0,4}}+:\s{{0,4}}+(?={_QUOTES}\w)")
"""A private part of a JSON Web Key."""

_REJECTED: Final = "input_value="
"""The text before a rejected value in an error of pydantic. The name of the field is in the line before."""
MAX_ERROR_LINE: Final = 500
"""The number of characters before a rejected value in which the name of its field is searched for."""
_COLUMNS: Final = re.compile(r"\(([\w ,.\"]{1,200}+)\)=\(([^)\n]++)", re.ASCII)
"""Names of columns and their values, as in PostgreSQL's `Key (api_key)=(…) already exists`."""
_PARAMETERS: Final = re.compile(r"\[parameters: (?=[\[({])")
"""The beginning of the parameters of a statement, in an error of SQLAlchemy. The statement precedes them."""
_STATEMENT: Final = "[SQL: "
MAX_STATEMENT: Final = 4000
"""The number of characters before the parameters in which names of columns are searched for."""
_NAME: Final = re.compile(r"[A-Za-z_]\w*+", re.ASCII)


def neighbour_values(text: str) -> Iterator[Span]:
    """Yield the values in pairs of fields: the first field gives a secret's name, the second field its value."""
    for found in _FIELD_AND_VALUE.finditer(text):
        if is_secret_header(found[1]):
            bare = _BARE.match(text, found.end())
            span = quoted(text, found.end()) or (None if bare is None else bare.span())
            if span is not None:
                yield span


def form_values(text: str) -> Iterator[Span]:
    """Yield the values of the fields of a form that are named like secrets."""
    for found in _FORM_FIELD.finditer(text):
        if is_secret_name(found[1]):
            yield found.span(2)


def object_contents(text: str) -> Iterator[Span]:
    """Yield the contents of reprs of objects whose class is named like a secret, such as `ApiKey('…')`."""
    at = 0
    while (found := _CLASS.search(text, at)) is not None:
        at = found.end()
        if is_secret_name(found[1]) and not _COMPLAINT.match(found[1]):
            end = end_of_brackets(text, at - 1)
            yield at, max(at, end - text.endswith(")", at, end))
            at = max(at, end)


def encoded_values(text: str) -> Iterator[Span]:
    """Yield the values that follow the name of a secret in an encoded URL or form."""
    for found in _ENCODED.finditer(text):
        if is_secret_header(found[1]):
            yield found.span(2)


def login_passwords(text: str) -> Iterator[Span]:
    """Yield the passwords in statements of SQL, and in commands of protocols."""
    for found in _IDENTIFIED.finditer(text):
        if (span := quoted(text, found.end())) is not None:
            yield span
    for found in _LOGIN.finditer(text):
        yield found.span(1)


def private_key_parts(text: str) -> Iterator[Span]:
    """Yield the private parts of JSON Web Keys."""
    if _KEY_TYPE.search(text) is None:
        return
    for found in _KEY_PART.finditer(text):
        if (span := quoted(text, found.end())) is not None:
            yield span


def rejected_values(text: str) -> Iterator[Span]:
    """Yield the rejected values in errors of pydantic if their field is named like a secret."""
    at = -1
    while (at := text.find(_REJECTED, at + 1)) >= 0:
        line = text.rfind("\n", max(0, at - MAX_ERROR_LINE), at)
        before = text.rfind("\n", max(0, line - MAX_ERROR_LINE), line) + 1 if line > 0 else 0
        if line > 0 and any(is_secret_header(name) for name in _NAME.findall(text, before, line)):
            begin = at + len(_REJECTED)
            bare = _BARE.match(text, begin)
            span = quoted(text, begin) or (None if bare is None else bare.span())
            if span is not None:
                yield span


def column_values(text: str) -> Iterator[Span]:
    """Yield the values of columns, and the parameters of statements, if one of the columns is named like a secret."""
    for found in _COLUMNS.finditer(text):
        if any(is_secret_header(name) for name in _NAME.findall(found[1])):
            yield found.span(2)
    known = -1  # the statement before the last parameters; each statement is read once
    for found in _PARAMETERS.finditer(text):
        statement = text.rfind(_STATEMENT, max(0, found.start() - MAX_STATEMENT), found.start())
        if statement > known and any(
            is_secret_header(name) for name in _NAME.findall(text, statement + len(_STATEMENT), found.start())
        ):
            yield found.end(), end_of_brackets(text, found.end())
        known = max(known, statement)


INDIRECT_FINDERS: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    neighbour_values, form_values, object_contents, encoded_values, login_passwords, private_key_parts,
    rejected_values, column_values,
)  # fmt: skip
