"""The last release of a project, with which a test compares the project's present state."""

from __future__ import annotations

import atexit
import io
import subprocess
import tarfile
import tempfile
import warnings
from functools import cache
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused


@cache
def last_release(project: Path, tag: str | None = None) -> Path:
    """Return a folder with the project as of a git tag, by default the newest tag of the present branch.

    If nothing was released yet (there is no git, or no tag contains the project), return the project's own folder, and
    warn. Then a test shows only that the project starts, and that an upgrade to itself changes nothing. The folder is
    deleted when Python ends. Raises Refused for a `tag` that git doesn't have.
    """
    found = tag or _newest_tag(project)
    if found is None:
        return _unreleased(project)
    done = _git(project, "archive", "--format=tar", found)
    if done.returncode != 0:
        if tag is None:
            return _unreleased(project)
        raise Refused(f"git has no {tag} of {project}: {done.stderr.decode(errors='replace').strip()}.")
    folder = tempfile.TemporaryDirectory(prefix="node-runtime-released-")
    atexit.register(folder.cleanup)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        # Before 3.11.4, Python has no filters. The archive is made of the project's own commits.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder.name)
    return Path(folder.name)


def _unreleased(project: Path) -> Path:
    warnings.warn(
        f"{project.name} has no tag in git, so its tests compare the project with itself, and an upgrade changes "
        "nothing; `git tag v0.1.0` marks a release.",
        stacklevel=3,
    )
    return project


def _newest_tag(project: Path) -> str | None:
    done = _git(project, "describe", "--tags", "--abbrev=0")
    return done.stdout.decode().strip() or None if done.returncode == 0 else None


def _git(project: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, check=False)
    except FileNotFoundError:  # git is not installed
        return subprocess.CompletedProcess(words, 127, b"", b"git is not installed")
