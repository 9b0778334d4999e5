"""Finds the values in the state of an application that stay instances of replaced classes after an upgrade.

While old requests are open, the old and the new version of an application use the same values. So the new version gets
the values themselves, not converted ones, and their methods are the old code.
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
    """Yield a sentence for each value in the state of `application` that contains instances of replaced classes.

    `served` is the application that is served after the switch.
    """
    named = {f"app.state.{name}": value for name, value in (values(served) or {}).items()}
    named |= {f'scope["state"]["{name}"]': value for name, value in application.state.items()}
    for name, value in named.items():
        classes = kept.classes_of_instances_in(value)
        if classes:
            yield (
                f"{name} of {application.reference} keeps instances of the replaced {' and '.join(classes)}, which "
                "continue to run the old code: convert them in the startup of the new version, or keep such a state in "
                "a process."
            )
