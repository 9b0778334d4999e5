"""Run a module of a release with that release's own libraries and no others: enter.py DIRECTORY VSN MODULE ARGUMENT…

Started by bin/<name> as a file, in a Python that sees nothing but its standard library.
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
