"""Runs uvicorn's own tests of its protocols against the server of our listeners: `make uvicorn-tests`.

The tests come out of uvicorn's source distribution, in the version that is installed here, and are not part of this
project. `python -m tests.frameworks.uvicorn_tests FOLDER [ARGUMENT ...]` runs those of an unpacked source distribution,
with arguments for pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import uvicorn

FOLDER: Final = Path("_build") / "uvicorn-tests"
LIBRARIES: Final = ("httpx2", "httpcore2", "truststore", "idna", "wsproto")
"""What uvicorn's tests import and we don't: clients, and another protocol of websockets."""
TESTS: Final = ("tests/protocols/test_http.py", "tests/protocols/test_websocket.py")


def main() -> int:
    """Run the tests; returns the exit code of pytest."""
    folder, libraries = _folder(*sys.argv[1:2]), (FOLDER / "libraries").absolute()
    if not libraries.is_dir():
        _pip("install", "--no-deps", "--target", str(libraries), *LIBRARIES)
    paths = [str(Path(__file__).absolute().parent), str(libraries)]
    pytest = [sys.executable, "-m", "pytest", "-p", "listener_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest, "-c", os.devnull, "--rootdir", ".", "-q", "-rfE", *TESTS, *sys.argv[2:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    return done.returncode


def _folder(given: str | None = None) -> Path:
    """Return the unpacked source distribution, which is fetched from the package index if none is given."""
    if given is not None:
        return Path(given)
    name = f"uvicorn-{uvicorn.__version__}"
    if not (FOLDER / name).is_dir():
        options = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", str(FOLDER))
        _pip("download", *options, f"uvicorn=={uvicorn.__version__}")
        with tarfile.open(FOLDER / f"{name}.tar.gz") as tarball:
            tarball.extraction_filter = getattr(tarfile, "data_filter", None)  # Python has it from 3.11.4 on
            tarball.extractall(FOLDER)
    return FOLDER / name


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True)


if __name__ == "__main__":
    sys.exit(main())
