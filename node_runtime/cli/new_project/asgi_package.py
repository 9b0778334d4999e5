"""The package of an ASGI application that a new project serves: where it is, and what it imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Final

import msgspec

from node_runtime.protocol.clip import clip
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.build.source_distribution import compiled_module, needed_distributions
from node_runtime.releases.build.source_folder import files_below
from node_runtime.releases.files.names import Callback

WEBSOCKETS: Final = "websockets"
"""The library with which uvicorn serves websockets."""


class AsgiPackage(msgspec.Struct, frozen=True):
    """The top-level package or module of an ASGI application `target`, such as "chat.main:app".

    `place` is the folder or file of the package, or None if the package belongs to an installed distribution. In that
    case, `distribution` is the name of the distribution. A distribution with compiled modules is in `requirements`
    instead. `requirements` are the distributions that the package needs, in the installed versions.
    """

    target: str
    place: Path | None
    requirements: tuple[str, ...]
    distribution: str | None = None


def find_package(target: str) -> AsgiPackage:
    """Find the package below the current directory, or else in this Python environment. Nothing of it is imported.

    Raises Refused if there is no such package, or if the package lacks the module.
    """
    try:
        msgspec.convert(target, Callback)
    except msgspec.ValidationError:
        raise _refused(
            f"{clip(target, 80)!r} is not an ASGI application; write module:name, such as main:app."
        ) from None
    module = target.partition(":")[0]
    top, *below = module.split(".")
    place = _place(top)
    if place is None:
        found = metadata.packages_distributions().get(top, [])
        if not found:
            raise _refused(
                f"There is no package {top} in this folder, and none is installed; go to the folder that has it."
            )
        return _installed(target, found[0])
    _check_module(place, below, module)
    return AsgiPackage(target, place, tuple(_pinned(sorted(_distributions(place, top)))))


def _installed(target: str, name: str) -> AsgiPackage:
    distribution = metadata.distribution(name)
    if compiled_module(distribution) is not None:
        return AsgiPackage(target, None, tuple(_pinned([name])))
    needs = sorted({need.name for need in needed_distributions(distribution)})
    return AsgiPackage(target, None, tuple(_pinned(needs)), distribution.name)


def _place(top: str) -> Path | None:
    """Return the folder or file of a package that is not installed from a wheel; None if there is none."""
    for folder in (Path(), Path("src")):
        if (folder / top / "__init__.py").is_file():
            return folder / top
        if (folder / f"{top}.py").is_file():
            return folder / f"{top}.py"
        if any((folder / top).glob("*.py")) or any((folder / top).glob("*/__init__.py")):
            raise _refused(f"{folder / top} is not a package, because it has no __init__.py; add an empty one.")
    spec = util.find_spec(top)
    if spec is None or spec.origin is None or {"site-packages", "dist-packages"} & set(Path(spec.origin).parts):
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _check_module(place: Path, below: list[str], module: str) -> None:
    inner = place.joinpath(*below)
    if below and not (inner.with_name(f"{inner.name}.py").is_file() or (inner / "__init__.py").is_file()):
        raise _refused(f"{place} has no module {module}; name the module of the application, as in main:app.")


def _distributions(place: Path, top: str) -> set[str]:
    """Return the distributions whose packages the code at `place` imports, except distributions that every node has."""
    known = metadata.packages_distributions()
    names = {name for path in files_below(place) if path.suffix == ".py" for name in _imports(path)}
    if any(b"websocket" in path.read_bytes().lower() for path in files_below(place) if path.suffix == ".py"):
        names.add(WEBSOCKETS)  # uvicorn imports it, and refuses websockets without it
    names -= {top, "node_runtime", "hotdash", *sys.stdlib_module_names}
    return {known[name][0] for name in names if name in known}


def _imports(path: Path) -> Iterator[str]:
    """Yield the top-level names that a module imports, also inside of functions."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise Refused(f"{path}, line {error.lineno}: {error.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.partition(".")[0]


def _pinned(distributions: list[str]) -> Iterator[str]:
    yield from (f"{name}=={metadata.version(name)}" for name in distributions)


def _refused(sentence: str) -> Refused:
    return Refused(sentence, ExitCode.USAGE)
