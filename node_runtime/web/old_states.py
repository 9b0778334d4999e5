"""Finds the values in the state of an application that stay instances of replaced classes after an upgrade.

While old requests are open, the old and the new version of an application use the same values. So the new version gets
the values themselves, not converted values, and the methods of these values are old code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from node_runtime.code import KeptCode

from .named_application import NamedApplication


def values(application: Any) -> dict[str, Any] | None:
    """Return the values in Starlette's `app.state`; None if the application has no such state."""
    found = getattr(getattr(application, "state", None), "_state", None)
    return found if isinstance(found, dict) else None


def warnings(application: NamedApplication, served: Any, kept: KeptCode) -> Iterator[str]:
    """Yield a sentence for the values in the state of `application` with instances of the same replaced classes.

    `served` is the application that is served after the switch.
    """
    values_of: dict[str, list[str]] = {}
    named = {f"app.state.{name}": value for name, value in (values(served) or {}).items()}
    named |= {f'scope["state"]["{name}"]': value for name, value in application.state.items()}
    for name, value in named.items():
        classes = kept.classes_of_instances_in(value)
        if classes:
            values_of.setdefault(" and ".join(classes), []).append(name)
    for replaced, found in values_of.items():
        keep = f"{' and '.join(found)} of {application.reference} {'keeps' if len(found) == 1 else 'keep'} instances"
        yield (
            f"{keep} of the replaced {replaced}. These instances continue to run the old code: convert them in the "
            "startup of the new version, or keep them in the state of a process."
        )
