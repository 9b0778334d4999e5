"""Exit codes: a failure has one of the documented codes, whatever a node sends."""

from __future__ import annotations

import pytest

from node_runtime.protocol.exit_codes import ExitCode, Refused


@pytest.mark.parametrize("code", [-1, 7, 256, 1 << 70])
def test_an_unknown_code_of_a_node_counts_as_a_refusal(code: int) -> None:
    assert ExitCode(code) is ExitCode.REFUSED


def test_a_failure_never_ends_a_command_with_success() -> None:
    assert Refused("No.", ExitCode.OK).code is ExitCode.REFUSED
    assert Refused("No.", ExitCode.USAGE).code is ExitCode.USAGE
