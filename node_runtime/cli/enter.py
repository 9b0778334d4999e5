"""Runs a module of a release with only that release's libraries: enter.py DIRECTORY VSN MODULE ARGUMENT….

bin/<name> runs this file in a Python that can import only its standard library.
"""

import importlib
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    directory, vsn, module, *arguments = sys.argv[1:]
    manifest = json.loads((Path(directory) / "releases" / vsn / "manifest.json").read_text())
    sys.path += [str(Path(directory) / part) for part in manifest["path"]]
    sys.argv[:] = [module, *arguments]
    importlib.import_module(module).main(arguments)
