#!/usr/bin/env python3
"""The node in this directory: its command line, and its parent while it runs. What that is stands in _launcher/."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    importlib.import_module("_launcher.verbs").main()
