"""Reads the release that an argument of a command names: a project folder, a tarball, or a revision of git.

`REV` is the project as of the revision, in the folder where the project is now; `REV:FOLDER` is the project in another
folder of the repository. A revision is read with `git archive`, so uncommitted changes are not read.
"""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.path_checks import is_safe_path

from .release_source import ReleaseSource, read_project_source, read_tarball_source


def read_release_argument(argument: str, project: Path, scratch: Path) -> ReleaseSource:
    """Return the release that `argument` names. Raises `Refused` if there is none, or for a mistake in its files.

    If `argument` is a revision of git, it is read from the repository of `project`. `scratch` is an empty folder.
    """
    path = Path(argument)
    if path.is_dir():
        return read_project_source(path)
    if path.is_file():
        return read_tarball_source(path, scratch)
    revision, _, folder = argument.partition(":")
    repository = project if project.is_dir() else Path()
    if (
        not revision
        or revision.startswith("-")
        or git_output(repository, "rev-parse", "--verify", f"{revision}^0") is None
    ):
        raise Refused(
            f"{argument} is neither a folder nor a tarball, and git knows no such revision in {repository.absolute()}; "
            "give the path of a project or a tarball, or a revision such as HEAD or v1.0."
        )
    if not folder:
        folder = (git_output(repository, "rev-parse", "--show-prefix") or b"").decode().strip()
    folder = folder.strip("/")
    top = Path((git_output(repository, "rev-parse", "--show-toplevel") or b".").decode().strip())
    archive = git_output(top, "archive", "--format=tar", f"{revision}:{folder}")
    if archive is None:
        raise Refused(f"Revision {revision} has no folder {folder}; write REV:FOLDER with the folder of the project.")
    _extract(archive, scratch)
    prefix = f"{folder}/" if folder else ""
    return read_project_source(scratch, lambda shown: f"{revision}:{prefix}{shown}")


def _extract(archive: bytes, folder: Path) -> None:
    """Write the regular files of a tar archive to `folder`. Links and unsafe paths are left out, as in a build."""
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        for member in files:
            content = files.extractfile(member) if member.isfile() else None
            if content is not None and is_safe_path(member.name):
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())


def git_output(repository: Path, *words: str) -> bytes | None:
    """Return what a git command prints; None if the command fails. Raises `Refused` if git can't be started."""
    try:
        done = subprocess.run(("git", "-C", repository, *words), capture_output=True, check=False)
    except OSError as error:
        raise Refused(f"git can't be started: {error.strerror}; give a folder or a tarball instead.") from None
    return done.stdout if done.returncode == 0 else None
