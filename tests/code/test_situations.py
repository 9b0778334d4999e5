"""One table of situations: the code server's column is a promise, and the page shows the results of the run."""

from __future__ import annotations

import pytest

from tests.support.load_situations import PAGE, SITUATIONS, Situation, observe, page_with, table
from tests.support.reload_methods import Ours


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_the_code_server_keeps_its_promise_in_each_situation(situation: Situation) -> None:
    assert observe(situation, Ours) == situation.wanted


def test_the_table_on_the_page_equals_the_results_of_the_run() -> None:
    assert page_with(table()) == PAGE.read_text(), "run python -m tests.support.load_situations to write the table"
