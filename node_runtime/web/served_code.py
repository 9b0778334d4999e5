"""Finds the replaced code that an application would still serve after an upgrade.

An application, which the body of a module makes, keeps the functions of its routers, routes and middleware. An upgrade
may load the module of such a function, but not the module that has made the application. Then requests would still run
the old version of the function.
"""

from __future__ import annotations

from typing import Any, Final

from node_runtime.code import KeptCode
from node_runtime.protocol.messages import Blocker

MAX_NAMED: Final = 3
"""At most this many functions and classes are named in a blocker."""


def blockers(listener: str, reference: str, served: Any, kept: KeptCode) -> list[Blocker]:
    """Return a blocker if the application that a listener serves refers to replaced code.

    `served` is the application, and `reference` is its name, as "module:name".
    """
    names = kept.names_in(served)
    if not names:
        return []
    named = ", ".join(names[:MAX_NAMED]) + f" and {len(names) - MAX_NAMED} more" * (len(names) > MAX_NAMED)
    modules = kept.keepers()
    remedy = f"let the appup load {' and '.join(modules)} too, after the other modules"
    if not modules:
        remedy = (
            f"let the appup load {reference.partition(':')[0]} too, and let it register the new code in the library"
        )
    return [
        Blocker(
            reason=f"the application {reference} of the listener {listener} would answer with replaced code: {named}",
            remedy=remedy,
        )
    ]
