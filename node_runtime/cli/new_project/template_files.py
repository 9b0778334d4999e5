"""The files of a new project: text files in `template` with placeholders, such as @NAME@ for the project's name.

`common` is part of each project; one of the other folders is added to it. A path's part `dot-name` is `.name` in the
project, since not every tool packs hidden files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

SUFFIX: Final = ".in"
"""The ending of a template file, so that no tool takes it for code of this package."""


def project_files(kinds: tuple[str, ...], words: Mapping[str, str]) -> dict[str, str]:
    """Return the contents of a project's files by their paths. `words` has the values of NAME, CLASS and so on."""
    template = resources.files(__package__) / "template"
    return {
        filled(path.removesuffix(SUFFIX).replace("dot-", "."), words): filled(file.read_text(encoding="utf-8"), words)
        for kind in kinds
        for path, file in _files(template / kind)
    }


def filled(text: str, words: Mapping[str, str]) -> str:
    """Return the text with @WORD@ replaced by its value; a line that would then be empty is left out."""
    for word, value in words.items():
        text = text.replace(f"@{word}@\n", f"{value}\n" if value else "") if not value else text
        text = text.replace(f"@{word}@", value)
    return text


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the files below a folder of the package, each with its path relative to the outermost folder."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield f"{prefix}{entry.name}", entry
