"""Fuzzing by coverage, with atheris where it can be had: `python -m tests.fuzz.guided SECONDS SEED FOLDER`.

The first byte of an input chooses what the rest is: the bytes of an archive, of a manifest, of a TOML file, or of a
message. libFuzzer ends the process with an error at the first crash, hang, or use of too much memory.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.support.sources import ROOT

from .campaign import HANG_SECONDS, Campaign

INSTRUMENTED: Final = ("node_runtime.releases", "node_runtime.protocol", "tomllib", "msgspec")
MAX_INPUT: Final = 1 << 17
MAX_MEMORY: Final = 2048
"""Megabytes."""
DONE: Final = re.compile(r"Done (\d+) (?:runs )?in")


def is_available() -> bool:
    """Returns whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzz_guided(seconds: int, seed: int) -> Campaign:
    """The result of so many seconds; nothing is fed without atheris."""
    campaign = Campaign("archives, files, messages, guided")
    if not is_available():
        print("atheris is not installed, so nothing is fuzzed by coverage", flush=True)
        return campaign
    with TemporaryDirectory() as folder:
        line = [sys.executable, "-m", __name__, str(seconds), str(seed), folder]
        begun = time.monotonic()
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        campaign.seconds = time.monotonic() - begun
    ended = DONE.search(done.stderr)
    campaign.inputs = int(ended[1]) if ended else 0
    if done.returncode != 0 or ended is None:
        (campaign.hangs if "timeout" in done.stderr else campaign.crashes).append(done.stderr[-3000:])
    return campaign


def main(seconds: int, seed: int, folder: Path) -> None:
    """Fuzz in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED), enable_loader_override=False):
        from .guided_target import GuidedTarget

    target = GuidedTarget(folder)
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-seed={seed % 2**31}",
        f"-max_len={MAX_INPUT}",
        f"-timeout={HANG_SECONDS:.0f}",
        f"-rss_limit_mb={MAX_MEMORY}",
        f"-artifact_prefix={folder}/",
        str(target.write_seeds()),
    ]
    atheris.Setup(arguments, target.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
