"""The verb `node-runtime new`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import Final

import click

from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.releases.build.source_distribution import PREFIX

from .asgi_package import AsgiPackage, find_package
from .project_name import check_name, class_prefix
from .template_files import project_files

SERVER_LIBRARIES: Final = ("httptools", "uvloop")
"""The libraries with which a web server is faster. A project requires those that are installed here."""
TRIALS: Final = {
    "plain": "    hotdash state @NAME@@127.0.0.1 @NAME@_server   # the state of the server",
    "web": "    curl http://127.0.0.1:8000               # the page counts its visitors",
    "asgi": "    curl http://127.0.0.1:8000",
}
"""The line of README.md that tries the running service, for each kind of project."""


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--web", "is_web", is_flag=True, help="The service is a web site with a page.")
@click.option(
    "--asgi",
    metavar="MODULE:APP",
    help="The service is this ASGI application, whose code stays where it is: in this folder, in src, or installed.",
)
def new(name: str, is_web: bool, asgi: str | None) -> None:
    """Make a project in the folder NAME: a service that can be started, upgraded and tested as it is.

    NAME may be a path; its last part is the name of the service.
    """
    folder = Path(name)
    if is_web and asgi is not None:
        raise Refused("--web makes a new site, and --asgi serves one that exists; give one of them.", ExitCode.USAGE)
    check_name(folder.name)
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise Refused(f"{folder} exists already; choose another name, or delete it.")
    package = find_package(asgi) if asgi is not None else None
    if package is not None and package.target.split(":")[0].split(".")[0] == folder.name:
        raise Refused(
            f"{folder.name} is the name of the package itself; choose another name, such as {folder.name}_service.",
            ExitCode.USAGE,
        )
    kind = "asgi" if package is not None else "web" if is_web else "plain"
    libraries = [each for each in SERVER_LIBRARIES if kind != "plain" and util.find_spec(each) is not None]
    words = _words(folder.name, kind, libraries) | _package_words(package, folder, libraries)
    _write(folder, project_files(("common", kind), words))
    click.echo(f"{folder.name} is a new project in {folder}; its README.md describes the files. To test and start it:")
    click.echo(f"  cd {shlex.quote(str(folder))}\n  make test\n  make start")
    if package is not None and package.place is None and package.distribution is None:
        click.echo(
            f"{package.requirements[0]} has compiled modules, so it is a requirement in release.toml: a release with "
            "another version of it needs a restart.",
            err=True,
        )
    if missing := [each for each in SERVER_LIBRARIES if kind != "plain" and each not in libraries]:
        click.echo(
            f"The web server would be faster with {' and '.join(missing)}: install what is missing in this "
            "environment, and name it in `requirements` in release.toml.",
            err=True,
        )


def _words(name: str, kind: str, libraries: list[str]) -> dict[str, str]:
    """Return the values of the template's placeholders, such as NAME."""
    return {
        "TRY": TRIALS[kind],
        "NAME": name,
        "LOOP": 'loop = "uvloop"' if "uvloop" in libraries else "",
        "CLASS": class_prefix(name),
        "HOTDASH": metadata.version("hotdash"),
        "PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def _package_words(package: AsgiPackage | None, folder: Path, libraries: list[str]) -> dict[str, str]:
    """Return the values of the placeholders about the ASGI application and about the release's requirements."""
    pins = [f"{library}=={metadata.version(library)}" for library in libraries]
    if package is not None:
        pins = sorted({*pins, *package.requirements})
    place = package.place if package is not None else None
    source = os.path.relpath(place, folder / "apps" / folder.name) if place is not None else ""
    if package is not None and package.distribution is not None:
        source = f"{PREFIX}{package.distribution}"
    return {
        "ASGI": package.target if package is not None else "",
        "SOURCE": f"source = {json.dumps(source)}" if source else "",
        "REQUIREMENTS": ", ".join(f'"{pin}"' for pin in pins),
        "REQUIREMENT_LINES": "\n".join(pins),
    }


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all files or none: write them to a temporary folder, and rename it to `folder` when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for path, text in files.items():
            file = temporary / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
