"""The signed statement about a release: one line, which is the trusted comment of the signature.

    hotdash1 name=fil vsn=1986.b sha256=<tarball> manifest=<manifest.json> build=20261128T222654Z-3f0f85c2ab10
      expires=2027-02-26T22:26:54Z                                                  (all in one line)

The fields are in this order, separated by one space. Times are in UTC. A build id has the time of the build and the
first 12 digits of the manifest's hash. So the build ids of a release sort by time, and builds that differ only in their
content have different build ids.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

DEFAULT_EXPIRY_DAYS: Final = 90
"""Days for which a signature can be used to stage a release, unless the signer says otherwise."""
MAX_EXPIRY_DAYS: Final = 3650

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_BUILD_TIME: Final = "%Y%m%dT%H%M%SZ"
_LINE: Final = re.compile(
    r"hotdash1"
    r" name=(?P<name>[a-z][a-z0-9_]{0,63})"
    r" vsn=(?P<vsn>[0-9A-Za-z][0-9A-Za-z.+-]{0,63})"
    r" sha256=(?P<sha256>[0-9a-f]{64})"
    r" manifest=(?P<manifest>[0-9a-f]{64})"
    r" build=(?P<build>[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12})"
    r" expires=(?P<expires>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
)


class ReleaseStatement(msgspec.Struct, frozen=True):
    """The signed statement about a release.

    `sha256` is the hash of the tarball, `manifest` that of its manifest.json. `build` is the build id. After `expires`,
    the signature can't be used to stage the release.
    """

    name: str
    vsn: str
    sha256: str
    manifest: str
    build: str
    expires: datetime

    def line(self) -> str:
        """Return the statement as a trusted comment."""
        return (
            f"hotdash1 name={self.name} vsn={self.vsn} sha256={self.sha256} manifest={self.manifest} "
            f"build={self.build} expires={self.expires.astimezone(UTC).strftime(_TIME)}"
        )

    @property
    def built(self) -> datetime:
        """The time in the build id."""
        return build_time(self.build)


def parse_statement(line: str) -> ReleaseStatement:
    """Parse a trusted comment. Raises ValueError if it is not exactly one statement."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("its trusted comment is not a statement about a release")
    statement = ReleaseStatement(
        name=found["name"],
        vsn=found["vsn"],
        sha256=found["sha256"],
        manifest=found["manifest"],
        build=found["build"],
        expires=datetime.strptime(found["expires"], _TIME).replace(tzinfo=UTC),
    )
    if statement.build != build_id(statement.built, statement.manifest):
        raise ValueError("its build id is not that of its manifest")
    return statement


def build_id(built: datetime, manifest: str) -> str:
    """Return the build id of a release that was built at `built` and whose manifest has the hash `manifest`."""
    return f"{built.astimezone(UTC).strftime(_BUILD_TIME)}-{manifest[:12]}"


def build_time(build: str) -> datetime:
    """Return the time in a build id. Raises ValueError."""
    return datetime.strptime(build.partition("-")[0], _BUILD_TIME).replace(tzinfo=UTC)
