"""The verb `cookie` of bin/<name>: prints, makes, lists, rotates and revokes cookies.

The node need not run. A running node notices each change by itself, without a restart.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from node_runtime.protocol.cookie import ROLES, Cookie, cookie_path, make_keys, parse_key, read_cookie
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.protocol.key_files import PersonKey, fingerprint, names_of_keys, read_person
from node_runtime.protocol.key_rotation.key_changes import DEFAULT_GRACE_SECONDS, KeyChanges
from node_runtime.protocol.key_rotation.node_key import NextKey, change_of_cookies
from node_runtime.protocol.messages import Role
from node_runtime.protocol.private_files import write_new_private

MAX_DAYS: Final = 36_500
_DAY_SECONDS: Final = 86_400.0


def cookie(directory: Path, arguments: list[str]) -> None:
    """Run `cookie` with its arguments. Raises Refused."""
    options = _parser().parse_args(arguments)
    if options.list:
        _print_list(directory)
    elif options.rotate_node_key:
        _rotate_node_key(directory, DEFAULT_GRACE_SECONDS if options.grace is None else options.grace)
    elif options.revoke is not None:
        _revoke(directory, options.revoke, force=options.force)
    elif options.rotate or options.name is not None:
        _make(directory, options)
    else:
        make_keys(directory)
        _hand_over(_default_cookie(directory, options.role or "operator"), options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cookie", description="Print, make and revoke the cookies of this node.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list all keys")
    what.add_argument("--rotate", action="store_true", help="make a new cookie; the old one ends after the grace time")
    what.add_argument("--revoke", metavar="NAME", help="revoke all cookies of NAME at once")
    what.add_argument("--rotate-node-key", action="store_true", help="replace the node's own key after the grace time")
    parser.add_argument("--for", dest="name", metavar="NAME", help="the person or program that gets its own cookie")
    parser.add_argument("--role", choices=ROLES, help="the role; operator by default")
    parser.add_argument(
        "--grace", type=_seconds, metavar="SECONDS", help="the grace time of a rotation; 3600 by default"
    )
    parser.add_argument("--days", type=_days, help="with --for: the number of days after which the cookie expires")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the cookie to this new file (mode 0600)")
    parser.add_argument("--force", action="store_true", help="with --revoke: also revoke the last operator's cookie")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MAX_DAYS * _DAY_SECONDS:
        raise argparse.ArgumentTypeError("it has to be a number of seconds, 0 or more")
    return value


def _days(text: str) -> float:
    value = float(text)
    if not 0 < value <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"it has to be a number of days, at most {MAX_DAYS}")
    return value


def _default_cookie(directory: Path, role: Role) -> Cookie:
    path = cookie_path(directory, role)
    if not path.exists():
        raise Refused(
            f"The default cookie of the role {role} is revoked; `cookie --rotate --role {role}` makes a new one.",
            ExitCode.NOT_ALLOWED,
        )
    return read_cookie(path)


def _make(directory: Path, options: argparse.Namespace) -> None:
    """Make a person's first key, or rotate a key."""
    if options.name is not None and options.rotate and options.role is not None:
        raise Refused("--rotate --for NAME keeps the role of NAME; leave out --role.", ExitCode.USAGE)
    from node_runtime.control.audit import audited

    changes = KeyChanges(directory, lambda made: _hand_over(made, options.out))
    if options.rotate:
        holder = options.name or options.role or "operator"
        grace = DEFAULT_GRACE_SECONDS if options.grace is None else options.grace
        audited(
            directory,
            "cookie_rotate",
            f"{holder}, grace {grace:g} s",
            lambda: f"made key {changes.rotate(holder, grace)}",
        )
        print(f"The former cookie of {holder} {_ends(grace)}.", file=sys.stderr)
        return
    role: Role = options.role or "operator"
    not_after = None if options.days is None else time.time() + options.days * _DAY_SECONDS
    subject = f"{options.name}, {role}" + ("" if options.days is None else f", {options.days:g} days")
    audited(directory, "cookie_make", subject, lambda: f"made key {changes.make(options.name, role, not_after)}")
    print(f"This is the cookie of {options.name} ({role}). The node keeps no copy of it.", file=sys.stderr)


def _ends(grace: float) -> str:
    return f"is accepted for {grace:g} s more" if grace else "is no longer accepted"


def _revoke(directory: Path, name: str, *, force: bool) -> None:
    from node_runtime.control.audit import audited

    changes = KeyChanges(directory, lambda made: None)
    audited(directory, "cookie_revoke", name, lambda: f"ended key {changes.revoke(name, even_the_last=force)}")
    print(f"The cookies of {name} are revoked; a running node refuses them within a second.", file=sys.stderr)


def _rotate_node_key(directory: Path, grace: float) -> None:
    from node_runtime.control.audit import audited

    made: list[NextKey] = []

    def change() -> str:
        made.append(KeyChanges(directory, lambda cookie: None).rotate_node_key(grace))
        return f"the next key is {made[0].public}"

    audited(directory, "node_key_rotate", f"grace {grace:g} s", change)
    print(f"{change_of_cookies(made[0])} A running node needs no restart.", file=sys.stderr)
    print(made[0].public)


def _hand_over(made: Cookie, out: Path | None) -> None:
    """Print the cookie, or write it to the new file `out`."""
    if out is None:
        print(made.line(), flush=True)
        return
    try:
        write_new_private(out, made.line() + "\n")
    except FileExistsError:
        raise Refused(f"{out} exists already; choose another file for the cookie.") from None
    except OSError as error:
        raise Refused(f"The cookie can't be written to {out}: {error.strerror}.") from None


def _print_list(directory: Path) -> None:
    make_keys(directory)
    now = time.time()
    print(f"{'name':<32}  {'role':<8}  {'fingerprint':<16}  {'age':>8}  {'made by':<16}  state")
    for name in names_of_keys(directory):
        for key in read_person(directory, name).keys:
            mark = fingerprint(parse_key(key.public))
            age = f"{max(0.0, now - key.made) / _DAY_SECONDS:.1f} d"
            print(f"{name:<32}  {key.role:<8}  {mark:<16}  {age:>8}  {key.by or 'the node':<16}  {_state(key, now)}")


def _state(key: PersonKey, now: float) -> str:
    if key.revoked is not None:
        return "revoked"
    if key.not_after is None:
        return "valid"
    left = key.not_after - now
    return f"valid for {left:,.0f} s more" if left > 0 else "expired"
