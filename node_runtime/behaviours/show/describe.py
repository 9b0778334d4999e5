"""Python values as data for display, read without running any code that belongs to them.

Any thread may call `describe` at any moment, and none of the values is trusted. The module `value_readers` reads the
values; limits of depth, parts, size and time end the walk through them. `describe` takes no lock: a container that
changes during the walk is shown as far as it was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from node_runtime.processes.redaction.named_secrets import CHANGED, REDACTED
from node_runtime.processes.redaction.secret_names import Secrecy, is_secret_header, secrecy_of
from node_runtime.protocol.escape import escape
from node_runtime.protocol.messages import Term

from .leaf_texts import ELLIPSIS
from .raw_reads import OPAQUE
from .secret_arguments import secret_arguments
from .secret_comparison import SecretComparison
from .secret_fields import Declaration
from .time_budget import TimeBudget
from .value_readers import ValueReader, ValueReaders

CYCLE: Final = "‹cycle›"
_EMPTY: Final = {"dict": "{}", "list": "[]", "tuple": "()", "set": "set()", "frozenset": "frozenset()"}
_ALWAYS_SHOWN: Final = (type(None), bool)
UNTIMED_TERMS: Final = 32
"""This many terms are always shown, so that a small value is shown completely even on a slow or busy machine."""
_NUMBERS: Final = (int, float)
_NAMES_OF_VALUES: Final = frozenset({"name", "key", "header", "field", "variable"})
"""Labels of parts that name another part: in {"name": "API_KEY", "value": …}, API_KEY is the name of the value.

Upper and lower case are the same, because clients of some services write {"Key": …, "Value": …}.
"""
_NAMED_VALUES: Final = frozenset({"value", "val", "content"})
"""Labels of the parts whose names other parts give."""
_AUTHORITIES: Final = frozenset({"netloc", "_netloc", "authority", "raw_authority"})
"""Labels of the part of a URL that may have a user and a password before an @."""
_KEY_TYPE: Final = "kty"
"""The member that every JSON Web Key has (RFC 7517)."""
_PRIVATE_PARTS: Final = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
"""The private members of a JSON Web Key (RFC 7518, section 6)."""
_MAX_MEMBERS: Final = 32
_NO_NAMES: Final[frozenset[str]] = frozenset()
_NO_FIELDS: Final[Mapping[str, Declaration]] = {}


@dataclass(slots=True)
class DescribeLimits:
    """The limits of a description.

    `depth` limits the nesting, `parts` the parts of one container, and `text` the characters of one string. `terms` and
    `size` limit the whole description: its Terms and its characters. `seconds` limits the processor time, after the
    first `UNTIMED_TERMS`.
    """

    depth: int = 12
    parts: int = 200
    terms: int = 5000
    size: int = 200_000
    text: int = 1000
    seconds: float = 0.05


def describe(
    value: object,
    limits: DescribeLimits | None = None,
    readers: ValueReaders | None = None,
    *,
    declared: Declaration | None = None,
    secrets: SecretComparison | None = None,
) -> Term:
    """Return `value` as a Term. Never raises, and never calls a function of the value's classes.

    Secrets are redacted. They are recognized by the names of parts, by the declarations of classes, and by their form.
    `declared` is the declaration of an annotation about the value itself. `secrets` compares the secrets with the
    secrets of another value. If many values of the same classes are described, passing the same `readers` saves time.
    """
    return _Describer(limits or DescribeLimits(), readers or ValueReaders(), secrets).term(value, 0, declared)


@dataclass(slots=True)
class _Describer:
    limits: DescribeLimits
    readers: ValueReaders
    secrets: SecretComparison | None
    terms: int = 0
    size: int = 0
    walked: set[int] = field(default_factory=set)
    path: list[str] = field(default_factory=list)
    """The path to the value, if secrets are compared."""
    budget: TimeBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = TimeBudget(self.limits.seconds)

    def term(self, value: object, depth: int, declared: Declaration | None) -> Term:
        """Return `value` and its parts as a Term."""
        reader = self.readers.of(type(value))
        self.size += len(reader.name) + 8
        if (declared is not None and declared.secret) or reader.is_secret:
            return self._hidden(value, reader)
        if reader.write is not None:
            text = escape(reader.write(value, self.limits.text))
            self.size += len(text) + 8
            if self.secrets is not None and REDACTED in text and self._has_changed(value):
                text = text.replace(REDACTED, CHANGED)
            return Term(type=reader.name, text=text)
        if id(value) in self.walked:
            return Term(type=reader.name, text=CYCLE)
        length, parts = reader.parts(value)
        if parts is None:
            return Term(type=reader.name, text=OPAQUE)
        if depth >= self.limits.depth:
            return Term(type=reader.name, text=ELLIPSIS, cut=length)
        self.walked.add(id(value))
        private = self._private_parts(reader, value, length) if self.readers.redacts else _NO_NAMES
        items = self._items(parts, depth, reader.fields, declared, length, private)
        self.walked.discard(id(value))
        text = _EMPTY.get(reader.name, "") if length == 0 else ""
        return Term(type=reader.name, text=text, items=items, cut=max(0, length - len(items)))

    def _private_parts(self, reader: ValueReader, value: object, length: int) -> frozenset[str]:
        """Return the labels of the parts that are secret because of the other parts."""
        if issubclass(reader.cls, (list, tuple)):
            return secret_arguments(value) if length > 1 else _NO_NAMES
        return _PRIVATE_PARTS if _is_json_web_key(reader, value, length) else _NO_NAMES

    def _items(
        self,
        parts: Iterable[tuple[object, object]],
        depth: int,
        fields: Mapping[str, Declaration],
        declared: Declaration | None,
        length: int,
        private: frozenset[str],
    ) -> tuple[tuple[str, Term], ...]:
        items: list[tuple[str, Term]] = []
        rest, hides_keys = None, False
        if declared is not None:
            fields, rest, hides_keys = declared.fields or fields, declared.items, declared.keys
        readers, labels = self.readers, self.readers.labels
        may_be_pair = readers.redacts and length == 2
        names_next = False  # whether the previous part names a secret, and this part is its value
        try:
            for name, part in islice(parts, self.limits.parts):
                if self._limit_reached():
                    break
                known = labels.get(name) if type(name) is str else None
                shown, secrecy = readers.label(name) if known is None else known
                if hides_keys:
                    shown = REDACTED
                self.size += len(shown) + 8
                if self.secrets is not None:
                    self.path.append(shown)
                is_named = names_next and (type(name) is int or shown.lower() in _NAMED_VALUES)
                is_secret = (secrecy and _hides(secrecy, part)) or is_named or shown in private
                if is_secret or (shown in _AUTHORITIES and readers.redacts and _has_password(part)):
                    items.append((shown, self._hidden(part, self.readers.of(type(part)))))
                else:
                    declaration = fields.get(name, rest) if fields and type(name) is str else rest
                    items.append((shown, self.term(part, depth + 1, declaration)))
                if self.secrets is not None:
                    self.path.pop()
                if may_be_pair or names_next or shown.lower() in _NAMES_OF_VALUES:
                    names_next = readers.redacts and _names_secret(name, part, length)
        except RuntimeError:
            pass  # the container changed while another thread read it
        return tuple(items)

    def _hidden(self, value: object, reader: ValueReader) -> Term:
        changed = self.secrets is not None and self._has_changed(value)
        return Term(type=reader.name, text=CHANGED if changed else REDACTED)

    def _has_changed(self, value: object) -> bool:
        assert self.secrets is not None
        limits = DescribeLimits(text=100_000, seconds=self.limits.seconds)
        return self.secrets.has_changed(tuple(self.path), describe(value, limits, ValueReaders(redacts=False)))

    def _limit_reached(self) -> bool:
        self.terms += 1
        limits = self.limits
        late = self.terms > UNTIMED_TERMS and self.budget.is_spent()
        return late or self.terms > limits.terms or self.size > limits.size


def is_hidden(name: str, value: object) -> bool:
    """Return whether `value` has to be hidden because `name` is the name of a secret."""
    return _hides(secrecy_of(name), value)


def _hides(secrecy: Secrecy, part: object) -> bool:
    """Return whether `part` has to be hidden; `secrecy` is the secrecy of its name."""
    cls = type(part)
    if secrecy is Secrecy.OPEN or any(cls is shown for shown in _ALWAYS_SHOWN):
        return False
    return secrecy is Secrecy.HIDDEN or not any(cls is number for number in _NUMBERS)


def _is_json_web_key(reader: ValueReader, value: object, length: int) -> bool:
    if reader.cls is not dict or not 1 < length <= _MAX_MEMBERS:
        return False
    try:
        return any(type(name) is str and name == _KEY_TYPE for name, _ in reader.parts(value)[1] or ())
    except RuntimeError:
        return False  # the dict changed while another thread read it


def _has_password(authority: object) -> bool:
    """Return whether `user:password@host` or `token@host` is the authority of a URL."""
    return "@" in authority if type(authority) is str else type(authority) is bytes and b"@" in authority


def _names_secret(label: object, part: object, length: int) -> bool:
    """Return whether `part` is the name of a secret next to it: "token" in ("token", …) or in {"name": "token", …}."""
    if type(part) is not str and type(part) is not bytes:
        return False
    if not (
        (length == 2 and label == 0) if type(label) is int else type(label) is str and label.lower() in _NAMES_OF_VALUES
    ):
        return False
    return is_secret_header(part if isinstance(part, str) else part[:200].decode("latin-1"))
