"""Finds passwords in command lines after options whose names don't mention a password: `curl -u ana:…`, `mysql -p…`.

Each pattern is possessive (it never gives back what it has matched) and examines only parts of limited length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .known_secrets import Span
from .rare_patterns import compiled

PROGRAMS: Final = (
    "curl", "wget", "http", "mysql", "mariadb", "mongo", "sshpass", "redis-cli", "docker", "podman", "ldap",
    "smbclient",
    "sqlcmd", "bcp", "sqlplus", "az", "ssh-keygen", "openssl", "keytool", "zip", "7z", "rar", "net", "lftp",
    "mosquitto_", "rabbitmqctl", "htpasswd", "chpasswd", "sudo", "useradd", "usermod", "vault", "cqlsh",
    "beeline",
    "etcdctl", "cypher-shell", "twine", "wpa_passphrase", "ipmitool", "snmp", "xfreerdp", "rdesktop", "evil-winrm",
    "yt-dlp",
)  # fmt: skip
"""Only commands that contain one of these words are searched for passwords."""
_PROGRAM: Final = re.compile(
    r"(?<![\w\-])(curl|wget|https?|mysql\w*+|mariadb\w*+|mongo\w*+|sshpass|redis-cli|docker|podman|ldap\w++|smbclient"
    r"|sqlcmd|bcp|sqlplus|az(?=['\", \t]{1,4}login)|ssh-keygen|openssl|keytool|(?:un)?zip|7z[ar]?|(?:un)?rar"
    r"|net(?=['\", \t]{1,4}use)|lftp|mosquitto_\w++|rabbitmqctl|htpasswd|user(?:add|mod)|vault(?=['\", \t]{1,4}login)"
    r"|cqlsh|beeline|etcdctl|cypher-shell|twine|wpa_passphrase|ipmitool|snmp\w++|xfreerdp|rdesktop|evil-winrm|yt-dlp)"
    r"(?![\w=:/])"
)
_COMMAND_END: Final = re.compile(r"[\n\r|;]")
MAX_COMMAND_LENGTH: Final = 500
"""The options of a program are searched for within this number of characters after its name."""
_GAP: Final = r"(?<![\w\-])-"
_BETWEEN: Final = r"(?:['\"]?,[ \t]*+['\"]?|[ \t=]++['\"]?)"
_ARGUMENT: Final = r"([^\s'\",\-][^\s'\",]*+)"
_IN_LINE: Final = {"<gap>": r"[ \t]++['\"]?+", "<other>": r"[^\s'\"]{1,200}+"}
_IN_LIST: Final = {"<gap>": r"['\"],[ \t]*+['\"]", "<other>": r"[^'\"\n]{1,200}+"}
"""The regular expressions for the marks `<gap>` and `<other>`, in a list of arguments: see `_in_turn`."""


def _apart(options: str) -> str:
    """Return a pattern for a password that is the argument after an option. `options` separates the options by `|`."""
    return rf"{_GAP}(?:{options}){_BETWEEN}{_ARGUMENT}"


def _glued_or_apart(options: str) -> str:
    return rf"{_GAP}(?:{options})(?:{_BETWEEN})?{_ARGUMENT}"


def _in_turn(form: str) -> tuple[str, ...]:
    """Return the patterns for a command line and for a list of quoted arguments, such as in a `CalledProcessError`.

    In the form, `<gap>` is the separator between two arguments, and `<other>` is an argument that is not a secret.
    """
    return tuple(
        form.replace("<gap>", parts["<gap>"]).replace("<other>", parts["<other>"]) for parts in (_IN_LINE, _IN_LIST)
    )


_PAIR: Final = rf"{_GAP}(?:u|a|-user|-proxy-user|U|-auth)(?:{_BETWEEN})?([^\s:%'\",]{{1,100}}+)[:%](?!//)([^\s'\",]++)"
"""A user and a password in one argument."""
_CERTIFICATE: Final = rf"{_GAP}(?:E|-cert){_BETWEEN}([^\s:'\",]{{1,200}}+):([^\s'\",]++)"
_COOKIES: Final = rf"{_GAP}(?:b|-cookie){_BETWEEN}([^\s='\",]{{1,100}}+)=([^'\"\s]++)"
_GLUED: Final = rf"{_GAP}p([^\s'\",]++)"
_GLUED_OR_APART: Final = _glued_or_apart("p")
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "curl": (_PAIR, _CERTIFICATE, _COOKIES),
    "wget": (_PAIR,),
    "http": (_PAIR,),
    "https": (_PAIR,),
    "smbclient": (_PAIR,),
    "etcdctl": (_PAIR,),
    "mysql": (_GLUED,),
    "mysqladmin": (_GLUED, *_in_turn(r"\bpassword<gap>([^\s'\"]++)")),
    "mariadb": (_GLUED,),
    "mongo": (_GLUED_OR_APART,),
    "sshpass": (_GLUED_OR_APART,),
    "redis-cli": (_apart("a"),),
    "docker": (_apart("p"),),
    "podman": (_apart("p"),),
    "az": (_apart("p"),),
    "ldap": (_glued_or_apart("w"),),
    "sqlcmd": (_glued_or_apart("P"),),
    "bcp": (_glued_or_apart("P"),),
    "sqlplus": _in_turn(r"(?:<gap>-\w++){0,5}<gap>[^\s/@'\"]{1,100}+/([^\s@/'\"]++)"),
    "ssh-keygen": (_apart("N|P"),),
    "openssl": (_apart("k|K"), r"(?<!\w)pass:([^\s'\",]++)"),
    "keytool": (_apart("storepass|keypass|srcstorepass|deststorepass|srckeypass|destkeypass|new"),),
    "zip": (_glued_or_apart("P"),),
    "unzip": (_glued_or_apart("P"),),
    "7z": (_GLUED,),
    "rar": (_GLUED, rf"{_GAP}hp([^\s'\",]++)"),
    "unrar": (_GLUED,),
    "net": _in_turn(r"<gap>use(?:<gap><other>){1,2}<gap>([^\s/'\"]++)<gap>/user"),
    "lftp": (rf"{_GAP}(?:u|-user){_BETWEEN}([^\s,'\"]{{1,100}}+),([^\s'\"]++)",),
    "mosquitto_": (_apart("P"),),
    "rabbitmqctl": _in_turn(r"\b(?:add_user|change_password|authenticate_user)<gap><other><gap>([^\s'\"]++)"),
    "htpasswd": _in_turn(rf"{_GAP}(?=[A-Za-z]{{0,8}}b)[A-Za-z]{{1,8}}+(?:<gap><other>){{1,2}}<gap>([^\s'\"]++)"),
    "useradd": (_apart("p"),),
    "usermod": (_apart("p"),),
    "vault": _in_turn(r"\blogin<gap>(?=[^\s='\"]{0,100}[0-9])([^\s=\-'\"][^\s='\"]++)(?!=)"),
    "cqlsh": (_GLUED_OR_APART,),
    "beeline": (_apart("p"),),
    "cypher-shell": (_apart("p"),),
    "twine": (_apart("p"),),
    "wpa_passphrase": _in_turn(r"<gap><other><gap>([^\s'\"]++)"),
    "ipmitool": (_apart("P"),),
    "snmp": (_apart("c|A|X"),),
    "xfreerdp": (r"(?<!\w)/p:([^\s'\",]++)",),
    "rdesktop": (_apart("p"),),
    "evil-winrm": (_apart("p"),),
    "yt-dlp": (_apart("p"),),
}
"""The forms of passwords in the options of a program. The last group of each pattern is the password."""
_NAMES: Final = sorted(_OPTIONS, key=len, reverse=True)


def command_passwords(text: str) -> Iterator[Span]:
    """Yield the passwords that known programs get as options."""
    at = 0
    while (program := _PROGRAM.search(text, at)) is not None:
        begin = program.end()
        limit = min(len(text), begin + MAX_COMMAND_LENGTH)
        at = end = found.start() if (found := _COMMAND_END.search(text, begin, limit)) else limit
        name = next(name for name in _NAMES if program[1].startswith(name))
        if name in ("docker", "podman") and "login" not in text[begin:end]:
            continue
        for pattern in _OPTIONS[name]:
            for option in compiled(pattern).finditer(text, begin, end):
                yield option.span(option.lastindex or 0)
