"""Makes, rotates and revokes the keys of clients. A running node notices each change within a second.

Each change is one atomic write of a person's file; only this file decides whether the person may connect. A change of a
default key also replaces etc/keys/<role> and the cookie. To complete an interrupted change, repeat it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import zmq
from msgspec import structs

from node_runtime.protocol.cookie import Cookie, cookie_path, key_text, locked_keys, make_keys, parse_key, read_key
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.key_files import (
    MAX_PEOPLE,
    PersonKey,
    PersonKeys,
    check_key_name,
    default_role,
    fingerprint,
    names_of_keys,
    read_key_ring,
    read_person,
    write_person,
)
from node_runtime.protocol.local_user import os_user
from node_runtime.protocol.messages import Role
from node_runtime.protocol.private_files import write_private

from .node_key import NextKey, plan_next_key, replace_key_if_due

DEFAULT_GRACE_SECONDS: Final = 3600.0
"""The time for which a rotated key is still accepted."""


class KeyChanges(msgspec.Struct, frozen=True):
    """Changes the keys of the node in `directory`.

    `hand_over(cookie)` is called with each new cookie, before the node accepts the cookie's key. If `hand_over` raises,
    the key is not stored, because nobody would have its cookie. All methods may raise Refused.
    """

    directory: Path
    hand_over: Callable[[Cookie], None]

    def make(self, name: str, role: Role, not_after: float | None = None) -> str:
        """Make the first key of a person, valid before the Unix time `not_after`; return its fingerprint."""
        check_key_name(name)
        with self._changing():
            person = read_person(self.directory, name)
            if _accepted(person):
                raise Refused(
                    f"{name} has a key already; replace it with `cookie --rotate --for {name}`, or revoke it with "
                    f"`cookie --revoke {name}`."
                )
            if name not in (known := names_of_keys(self.directory)) and len(known) >= MAX_PEOPLE:
                raise Refused(f"{len(known)} keys are known (limit {MAX_PEOPLE}); delete files in etc/keys/people.")
            return self._add(person, role, not_after)

    def rotate(self, name: str, grace: float) -> str:
        """Make a new key for a holder; the old keys expire in `grace` seconds. Return the new key's fingerprint."""
        with self._changing():
            person = read_person(self.directory, name)
            accepted = _accepted(person)
            role = default_role(name) or (accepted[-1].role if accepted else None)
            if role is None:
                raise Refused(f"{name} has no valid key; `cookie --for {name}` makes one.")
            ended = tuple(_ended(key, time.time() + grace) for key in person.keys)
            return self._add(PersonKeys(name, ended), role, None)

    def revoke(self, name: str, *, even_the_last: bool = False) -> str:
        """Revoke all keys of a holder at once; return the fingerprints of the valid keys among them, joined by commas.

        Refuses to revoke the last operator's key, unless `even_the_last` is true.
        """
        with self._changing():
            person = read_person(self.directory, name)
            accepted = _accepted(person)
            if not accepted:
                raise Refused(f"{name} has no valid key; `cookie --list` shows all keys.")
            if not even_the_last and any(key.role == "operator" for key in accepted):
                self._need_another_operator(name)
            now = time.time()
            revoked = tuple(key if key.revoked else structs.replace(key, revoked=now) for key in person.keys)
            write_person(self.directory, PersonKeys(name, revoked))
            if (role := default_role(name)) is not None:
                cookie_path(self.directory, role).unlink(missing_ok=True)
                self._write_default_key(role, zmq.curve_keypair()[0])  # older versions read only this file
            return ", ".join(fingerprint(parse_key(key.public)) for key in accepted)

    def rotate_node_key(self, grace: float) -> NextKey:
        """Make a new key for the node itself. It replaces the node's present key in `grace` seconds. Raises Refused."""
        with self._changing():
            following = plan_next_key(self.directory, grace)
        replace_key_if_due(self.directory)
        return following

    # ------------------------------------------------------------------ inside

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._need_owner()
        make_keys(self.directory)
        try:
            with locked_keys(self.directory):
                yield
        except OSError as error:
            raise Refused(f"The keys in {self.directory / 'etc'} can't be changed: {error}.") from None

    def _need_owner(self) -> None:
        """Raise Refused if the node belongs to another OS user: the node could not read files that this user writes."""
        owner = self.directory.stat().st_uid
        if owner != os.geteuid():
            raise Refused(
                f"{self.directory} belongs to the user {os_user(owner)}; run this command as that user.",
                ExitCode.NOT_ALLOWED,
            )

    def _need_another_operator(self, name: str) -> None:
        now = time.time()
        ring = read_key_ring(self.directory)
        if not any(key.role == "operator" and key.name != name and key.is_valid(now) for key in ring.keys):
            raise Refused(
                f"{name} has the last operator's key; make another key first (`cookie --for NAME --role operator`), or "
                f"pass --force."
            )

    def _add(self, person: PersonKeys, role: Role, not_after: float | None) -> str:
        server = zmq.curve_public(read_key(self.directory / "etc" / "keys" / "server"))
        public, secret = zmq.curve_keypair()
        cookie = Cookie(role, secret, server)
        key = PersonKey(key_text(public), role, time.time(), os_user(), not_after)
        self.hand_over(cookie)
        write_person(self.directory, PersonKeys(person.name, (*person.keys, key)))
        if default_role(person.name) is not None:
            self._write_default_key(role, public)
            write_private(cookie_path(self.directory, role), cookie.line() + "\n")
        return fingerprint(public)

    def _write_default_key(self, role: Role, public: bytes) -> None:
        write_private(self.directory / "etc" / "keys" / role, key_text(public) + "\n")


def _accepted(person: PersonKeys) -> list[PersonKey]:
    now = time.time()
    return [key for key in person.keys if key.until is None or now < key.until]


def _ended(key: PersonKey, at: float) -> PersonKey:
    return structs.replace(key, not_after=at if key.not_after is None else min(at, key.not_after))
