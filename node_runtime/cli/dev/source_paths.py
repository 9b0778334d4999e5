"""The project's files, named in place of their copies in the directory of the development node."""

from __future__ import annotations

import re
from pathlib import Path

from node_runtime.releases.build.source_folder import source_files
from node_runtime.releases.files.schemas import read_app


class SourcePaths:
    """Where the files in the node's directory come from. `folder` is the project's."""

    def __init__(self, folder: Path, directory: Path) -> None:
        self._folder = folder
        self._copies = re.compile(rf"{re.escape(str(directory))}/lib/(?P<app>\w+)-[^/\s]+/(?P<path>[^\s,:;\"']+)")

    def named(self, text: str) -> str:
        """Return `text` with the path of the source in place of each path of a copy."""
        return self._copies.sub(self._source, text)

    def _source(self, found: re.Match[str]) -> str:
        app = self._folder / "apps" / found["app"]
        place = app / found["path"]
        outside = None if place.exists() else read_app(app / "app.toml").source
        return str(place if outside is None else source_files(app, outside).get(found["path"], place))
