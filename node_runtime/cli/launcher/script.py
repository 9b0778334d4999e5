#!/usr/bin/env python3
"""The command line of the node in this directory, and its parent process. The code is in _launcher/."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    importlib.import_module("_launcher.verbs").main()
