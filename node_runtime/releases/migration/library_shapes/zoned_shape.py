"""The shape of datetimes and times, which refer to a time zone."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Final

from node_runtime.releases.migration.hidden_parts import zone_of
from node_runtime.releases.migration.shapes import PartOf, PathStep, Shape


class ZonedShape(Shape):
    """The shape of datetimes and times whose time zones may hold objects of replaced classes: see `has_plain_zone`."""

    def parts(self, value: Any) -> Iterator[tuple[PathStep, Any]]:
        yield ("attribute", "tzinfo"), zone_of(value)

    def finish(self, value: Any, new: Any, part: PartOf) -> Any:
        return value.replace(tzinfo=part(zone_of(value)))


ZONED_SHAPE: Final = ZonedShape()


def has_plain_zone(moment: Any) -> bool:
    """Return whether a datetime or a time has no time zone, or a `datetime.timezone`."""
    zone = zone_of(moment)
    return zone is None or type(zone) is datetime.timezone
