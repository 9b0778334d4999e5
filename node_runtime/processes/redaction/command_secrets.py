"""Finds passwords in command lines after options whose names don't mention a password: `curl -u ana:…`, `mysql -p…`.

Each pattern is possessive (it never gives back what it has matched) and examines only parts of limited length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .known_secrets import Span

_PROGRAM: Final = re.compile(
    r"(?<![\w\-])(curl|wget|https?|mysql\w*+|mariadb\w*+|mongo\w*+|sshpass|redis-cli|docker|ldap\w++|smbclient)"
    r"(?![\w=:/])"
)
_COMMAND_END: Final = re.compile(r"[\n\r|;]")
MAX_COMMAND_LENGTH: Final = 500
"""The options of a program are searched for within this number of characters after its name."""
_GAP: Final = r"(?<![\w\-])-"
_BETWEEN: Final = r"(?:['\"]?,[ \t]*+['\"]?|[ \t=]++['\"]?)"
_PAIR: Final = re.compile(
    rf"{_GAP}(?:u|a|-user|-proxy-user|U|-auth)(?:{_BETWEEN})?([^\s:%'\",]{{1,100}}+)[:%](?!//)([^\s'\",]++)"
)
"""A user and a password in one argument."""
_GLUED: Final = re.compile(rf"{_GAP}p([^\s'\",]++)")
_APART: Final = re.compile(rf"{_GAP}(?:p|a|w){_BETWEEN}([^\s'\",\-][^\s'\",]*+)")
_OPTIONS: Final = {
    "curl": (_PAIR,),
    "wget": (_PAIR,),
    "http": (_PAIR,),
    "https": (_PAIR,),
    "smbclient": (_PAIR,),
    "mysql": (_GLUED,),
    "mariadb": (_GLUED,),
    "mongo": (_GLUED, _APART),
    "sshpass": (_GLUED, _APART),
    "redis-cli": (_APART,),
    "docker": (_APART,),
    "ldap": (_APART,),
}


def command_passwords(text: str) -> Iterator[Span]:
    """Yield the passwords that known programs get as options."""
    at = 0
    while (program := _PROGRAM.search(text, at)) is not None:
        begin = program.end()
        limit = min(len(text), begin + MAX_COMMAND_LENGTH)
        at = end = found.start() if (found := _COMMAND_END.search(text, begin, limit)) else limit
        name = next(name for name in sorted(_OPTIONS, key=len, reverse=True) if program[1].startswith(name))
        if name == "docker" and "login" not in text[begin:end]:
            continue
        for pattern in _OPTIONS[name]:
            for option in pattern.finditer(text, begin, end):
                yield option.span(option.lastindex or 0)
