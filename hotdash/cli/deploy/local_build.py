"""The part of a deployment that needs no node: the commands of `node-runtime`, in an OS process of their own."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from node_runtime.protocol.clip import clip_path
from node_runtime.protocol.exit_codes import ExitCode, Refused

_RUN: Final = "import sys; from node_runtime.cli import main; main(sys.argv[1:])"
"""Runs `node-runtime` in this command's own Python environment."""
OUTPUT_FOLDER: Final = "_build"


@dataclass(frozen=True, slots=True)
class LocalRelease:
    """The project in `folder`: the name and the version that its release.toml gives to the release."""

    folder: Path
    name: str
    vsn: str

    def tarball(self, vsn: str) -> Path:
        """Return where `node-runtime build` puts the tarball of a version."""
        return self.folder / OUTPUT_FOLDER / f"{self.name}-{vsn}.tar.gz"


def read_release(folder: Path) -> LocalRelease:
    """Read the project's release.toml. Raises Refused if there is none, or if it names no release."""
    path = folder / "release.toml"
    table = _read_toml(path)
    name, vsn = table.get("name"), table.get("vsn")
    if not (isinstance(name, str) and isinstance(vsn, str)):
        raise Refused(f"{clip_path(path)} must have the name and the vsn of the release, as strings.")
    return LocalRelease(folder, name, vsn)


def build_line(release: LocalRelease, previous: Path | None) -> list[str]:
    """Return the words of the command that builds the release, and checks its appups against the previous tarball."""
    return ["node-runtime", "build", str(release.folder), *(["--from", str(previous)] if previous is not None else [])]


def missing_appups(release: LocalRelease, running: Mapping[str, str]) -> list[Path]:
    """Return the paths of the appup.toml files that do not exist or are for another version of their application.

    `running` has the versions of the applications that the node runs. An application needs no appup if it is new, or if
    the node runs the same version.
    """
    missing = []
    for path in sorted(release.folder.glob("apps/*/app.toml")):
        app, appup = _read_toml(path), path.with_name("appup.toml")
        if running.get(str(app.get("name")), app.get("vsn")) == app.get("vsn"):
            continue
        if not appup.exists() or _read_toml(appup).get("vsn") != app.get("vsn"):
            missing.append(appup)
    return missing


def generate_line(release: LocalRelease, previous: Path, *, bump: bool = False) -> list[str]:
    """Return the words of the command that writes the appups from the previous tarball; `bump` writes new versions."""
    option = ["--bump"] if bump else []
    return ["node-runtime", "appup", "generate", *option, "--from", str(previous), "--to", str(release.folder)]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"{clip_path(path)} can't be read: {reason}; name the folder of a project.") from None
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{clip_path(path)} is not TOML: {error}.") from None


def content_hash(tarball: Path) -> bytes | None:
    """Return the hash of a tarball; None if the file does not exist or can't be read."""
    try:
        with tarball.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None


def run_node_runtime(line: list[str]) -> list[str]:
    """Run the command and return its output. Messages for people go to stderr. Raises Refused if it fails."""
    done = subprocess.run([sys.executable, "-c", _RUN, *line[1:]], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Refused(
            f"`{shlex.join(line)}` failed, so nothing was sent to the node.", ExitCode(max(done.returncode, 1))
        )
    return done.stdout.splitlines()
