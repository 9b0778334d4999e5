"""One table of situations: the code server's column is a promise, and the page shows the results of the run."""

from __future__ import annotations

import pytest

from tests.support.load_situations import PAGE, SITUATIONS, Situation, observe, page_with, table
from tests.support.reload_methods import Ours


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_the_code_server_does_in_each_situation_what_a_live_system_needs(situation: Situation) -> None:
    assert observe(situation, Ours) == situation.wanted


def test_the_page_has_the_table_that_the_run_gives() -> None:
    assert page_with(table()) == PAGE.read_text(), "run python tests/code/situations.py to write the table anew"
