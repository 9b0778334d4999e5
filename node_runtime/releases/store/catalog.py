"""Reads the releases that are unpacked in a node's directory, and makes the relups between them.

A release that can't be read, for whatever reason, counts as damaged. A sentence says why, and other releases are not
affected.
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from node_runtime.code.verified_imports import add_listed_files, remove_listed_files, start_processes_as
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.messages import Direction
from node_runtime.releases.files.config import Configuration, read_configuration
from node_runtime.releases.files.manifest import Manifest, manifest_path, read_manifest, sha256
from node_runtime.releases.files.regular_file import ShortOfResources

from .background_checks import BackgroundChecks
from .commit_record import manifest_sha256
from .relup_path import RelupPath, find_relup_path
from .unpacked_release import UnpackedRelease, read_unpacked, toml_paths
from .verify import RESTAGE_REMEDY, verify, verify_apart


class Catalog:
    """Reads releases and translates their appups. Keeps the results until `forget` is called.

    The methods may be called in any thread. Only `verify` reads all files of a release.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._releases: dict[str, UnpackedRelease] = {}
        self._damage: dict[str, str] = {}
        self._directions: dict[tuple[str, str], Direction | None] = {}
        self._checks = BackgroundChecks(self.verify)

    def release(self, vsn: str) -> UnpackedRelease:
        """Return the release `vsn`. Raises `Refused` if it isn't unpacked or can't be read."""
        if vsn not in self._releases:
            try:
                self._releases[vsn] = self._read(vsn)
            except ShortOfResources:
                raise
            except Refused as refused:
                self._damage[vsn] = refused.sentence
                raise
        return self._releases[vsn]

    def damage(self, vsn: str) -> str | None:
        """Return a sentence about the damage of the release `vsn` and the remedy; None if no damage was found yet.

        Doesn't wait for a verification: if the release was never verified, another thread begins to verify it.
        """
        self._checks.request(vsn)
        if vsn not in self._releases and vsn not in self._damage:
            with suppress(Refused):
                self.release(vsn)
        return self._damage.get(vsn)

    def verify(self, vsn: str) -> None:
        """Verify all files of the release. Blocks; may be called in any thread. Raises `Refused` for a damaged file."""
        try:
            self.release(vsn)
            verify_apart(self.root, self._manifest(vsn))
        except ShortOfResources:
            raise
        except Refused as refused:
            self._damage[vsn] = refused.sentence
            raise
        if self._damage.pop(vsn, None) is not None:
            self._directions.clear()

    def verify_again(self, vsn: str) -> None:
        """Begin to verify the release in another thread. If its files are whole now, the damage is forgotten."""
        self._checks.forget(vsn)
        self._checks.request(vsn)

    def forget(self, vsn: str) -> None:
        """Forget what was read of a release. Called when the release has been removed or staged again."""
        self._checks.forget(vsn)
        self._releases.pop(vsn, None)
        self._damage.pop(vsn, None)
        self._directions.clear()

    def removed(self, vsn: str, used: Set[str]) -> None:
        """Forget a removed release and its files, because another release with the same version may be staged later.

        The folders in `used`, such as lib/click-8.5.1, are not removed yet, and their files can still be read.
        """
        self.forget(vsn)
        remove_listed_files(vsn, used)

    def start_processes_as(self, vsn: str) -> None:
        """Let the OS processes that this process starts import the running release, `vsn`. Never raises an error.

        If the release can't be read, nothing changes.
        """
        with suppress(Refused, OSError):
            recorded = manifest_sha256(self.root, vsn)
            start_processes_as(vsn, recorded or sha256((self.root / manifest_path(vsn)).read_bytes()))

    def configuration(self, vsn: str) -> Configuration:
        """Read the configuration that the node would have with the release `vsn`. Raises `Refused`."""
        return read_configuration(self.root, vsn)

    def relup_path(self, start: str, end: str) -> RelupPath:
        """Return the relup from one release to another; see `find_relup_path`."""
        left, target = self.release(start).view, self.release(end).view
        try:
            return find_relup_path(left, target)
        except Refused:
            raise
        except Exception as error:
            raise Refused(
                f"The relup from {start} to {end} can't be computed ({type(error).__name__}); correct the appups of "
                f"{start} and {end}."
            ) from error

    def direction(self, start: str, end: str) -> Direction | None:
        """Return the direction from `start` to `end`; None if there is no relup, or if both are the same release."""
        pair = start, end
        if pair not in self._directions:
            try:
                self._directions[pair] = self.relup_path(start, end).direction if start != end else None
            except Refused:
                self._directions[pair] = None
        return self._directions[pair]

    def _read(self, vsn: str) -> UnpackedRelease:
        """Read the manifest of the release, compare the TOML files with it, and then parse the TOML files."""
        try:
            manifest = self._manifest(vsn)
            verify(self.root, manifest, toml_paths(manifest))
            release = read_unpacked(self.root, manifest)
        except Refused:
            raise
        except Exception as error:
            raise Refused(
                f"Release {vsn} is damaged: its files can't be read ({type(error).__name__}); {RESTAGE_REMEDY}."
            ) from error
        add_listed_files(vsn, {path: entry.sha256 for path, entry in manifest.files.items()})
        return release

    def _manifest(self, vsn: str) -> Manifest:
        """Read the manifest, which has to be the same as the manifest that was staged."""
        return read_manifest(self.root, vsn, manifest_sha256(self.root, vsn))
