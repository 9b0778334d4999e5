"""A Python with known faults is named with its faults and the version that mends them, and never refused."""

from __future__ import annotations

import sys

import pytest

from node_runtime.releases.files.python_floor import FAULTS, python_warning


def test_an_old_patch_level_is_warned_of_with_the_faults_that_it_has() -> None:
    assert python_warning((3, 12, 10)) == (
        "Python 3.12.10 has known faults (CVE-2025-4517 in tarfile, CVE-2025-8194 in tarfile); update it to 3.12.12 "
        "or newer, unless your distribution has backported the fixes."
    )


@pytest.mark.parametrize(("minor", "patch"), [(11, 14), (12, 12), (13, 6), (14, 0), (15, 0)])
def test_a_patch_level_without_known_faults_is_not_warned_of(minor: int, patch: int) -> None:
    assert python_warning((3, minor, patch)) is None
    if (3, minor) in FAULTS:
        assert python_warning((3, minor, patch - 1)) is not None


def test_the_faults_of_a_version_are_in_the_order_in_which_they_were_mended() -> None:
    for faults in FAULTS.values():
        assert [fault.mended_in for fault in faults] == sorted(fault.mended_in for fault in faults)


def test_the_running_python_is_the_default() -> None:
    assert python_warning() == python_warning(sys.version_info[:3])
