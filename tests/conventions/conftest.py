"""The syntax trees of all files are kept while the tests of this folder read them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sources import tree


@pytest.fixture(scope="package", autouse=True)
def short_lived_trees() -> Iterator[None]:
    """Free the trees: they are over a million objects, and each later collection or plan would examine them."""
    yield
    tree.cache_clear()
