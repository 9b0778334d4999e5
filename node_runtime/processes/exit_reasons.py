"""Exit reasons: their text for people, and functions that recognize reasons with a special meaning."""

from __future__ import annotations

from .redaction.text_redaction import redact


class DescribedError(Exception):
    """An error whose text is a whole sentence: `describe_reason` returns it without the error's class name."""


def describe_reason(reason: object) -> str:
    """Return a reason as text without secrets: an exception with its type, a str as it is, all else as its `repr`.

    If `__str__` or `__repr__` raises, the text names that error.
    """
    try:
        return redact(_text(reason))
    except BaseException as error:
        return f"a {type(reason).__name__} whose text raised {type(error).__name__}"


def _text(reason: object) -> str:
    if issubclass(type(reason), str) or isinstance(reason, DescribedError):
        return str(reason)
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {reason}".removesuffix(": ")
    return repr(reason)


def is_orderly(reason: object) -> bool:
    """Return whether a reason means an orderly end: "normal", "shutdown" or ("shutdown", why)."""
    if type(reason) is str:
        return reason in ("normal", "shutdown")
    if type(reason) is tuple:
        return len(reason) == 2 and reason_is(reason[0], "shutdown")
    return reason_is(reason, "normal") or reason_is(reason, "shutdown")


def reason_is(reason: object, word: str) -> bool:
    """Return whether the reason is the str `word`.

    Objects of other types are never compared: their `__eq__` is user code, and may fail.
    """
    return issubclass(type(reason), str) and reason == word
