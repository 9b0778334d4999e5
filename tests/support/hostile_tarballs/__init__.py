"""A corpus of hostile tarballs: functions that each make one from a good release, and the refusal that it must get."""

from __future__ import annotations

from typing import Final

from . import (
    extended_headers,
    gzip_streams,
    header_fields,
    links_and_devices,
    manifests,
    member_names,
    order_and_truncation,
    source_files,
    toml_files,
    values_at_limits,
)
from .good_release import GoodRelease, read_good_release
from .hostile_tarball import HostileTarball

GROUPS: Final[dict[str, tuple[HostileTarball, ...]]] = {
    "fields of headers": header_fields.ALL,
    "names of members": member_names.ALL,
    "links, devices and sparse files": links_and_devices.ALL,
    "extended headers": extended_headers.ALL,
    "order and truncation": order_and_truncation.ALL,
    "gzip streams": gzip_streams.ALL,
    "manifests": manifests.ALL,
    "TOML files": toml_files.ALL,
    "values at limits": values_at_limits.ALL,
    "source files": source_files.ALL,
}
"""The tarballs by the part of the format that they attack."""

__all__ = ["GROUPS", "GoodRelease", "HostileTarball", "read_good_release"]
