"""Libraries memoize by classes in weak dictionaries and in caches of functools; these hold no old version."""

from __future__ import annotations

import functools
import sys
import weakref
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

MODELS = """
    N = {n}
    class Item:
        def n(self):
            return N
"""
PAGES = """
    import memos
    from models import Item
    class ItemPage:
        n = {n}
    memos.VALUES[memos.Page, (Item,)] = ItemPage
    memos.KEYS[ItemPage] = [Item]
    PAGE = {n}
"""


@pytest.fixture
def memos(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of a library, with weak dictionaries and caches."""
    module: Any = ModuleType("memos")
    module.Page = type("Page", (), {})
    module.VALUES, module.KEYS = weakref.WeakValueDictionary(), weakref.WeakKeyDictionary()
    module.remembered = functools.lru_cache(repr)
    wrapped = functools.lru_cache(id)
    module.wrapped = lambda *values: [wrapped(value) for value in values]
    monkeypatch.setitem(sys.modules, "memos", module)
    return module


def holders(app: App, module: str) -> list[str]:
    """Try to free the old version of a module; return the names of its holders."""
    return [] if app.server.soft_purge(module) else [one.name for one in app.server.holders(module)]


def test_an_entry_of_a_weak_dictionary_that_ends_with_a_class_of_an_old_version_holds_nothing(
    app: App, memos: Any
) -> None:
    app.boot(models=MODELS.format(n=1), pages=PAGES.format(n=1))
    imported("models"), imported("pages")
    for n in (2, 3, 4):
        app.load(models=MODELS.format(n=n), pages=PAGES.format(n=n))


def test_an_entry_of_a_weak_dictionary_that_ends_with_a_living_object_holds_a_version(app: App, memos: Any) -> None:
    app.boot(models=MODELS.format(n=1))
    memos.VALUES[imported("models").Item, 1] = memos.Page
    app.load(models=MODELS.format(n=2))
    assert holders(app, "models") == ["memos.VALUES"]


def test_a_weak_dictionary_of_the_application_holds_the_versions_of_its_keys(app: App) -> None:
    app.boot(
        registry="import weakref\nBY_CLASS = weakref.WeakValueDictionary()\n",
        models="""
            from registry import BY_CLASS
            class Item:
                n = 1
                page = type("Page", (), {})
                def f(self):
                    return Item
            BY_CLASS[Item] = Item.page
        """,
    )
    imported("models")
    app.load(models="class Item:\n    n = 2\n")
    assert holders(app, "models") == ["registry.BY_CLASS"]


@pytest.mark.parametrize("name", ["remembered", "wrapped"])
def test_a_cache_of_a_library_holds_nothing_if_it_is_in_a_variable_or_in_a_closure(
    app: App, memos: Any, name: str
) -> None:
    app.boot(models=MODELS.format(n=1))
    getattr(memos, name)(imported("models").Item)
    app.load(models=MODELS.format(n=2))
    app.prepare(models=MODELS.format(n=3)).discard()


def test_a_cache_that_no_name_leads_to_is_named_by_its_function(app: App, memos: Any) -> None:
    app.boot(models=MODELS.format(n=1))
    kept = [[functools.lru_cache(id)]]
    kept[0][0](imported("models").Item)
    app.load(models=MODELS.format(n=2))
    [holder] = app.server.holders("models")
    assert (holder.name, holder.does) == ("a cache around builtins.id", "holds class models.Item")


def test_a_proxy_to_an_object_of_an_old_version_is_not_asked_for_attributes(app: App) -> None:
    app.boot(models="class Item:\n    def __getattr__(self, name): raise LookupError(name)\nITEM = Item()\n")
    proxies = [weakref.proxy(imported("models").ITEM)]
    app.load(models="class Item: pass\n")
    app.load(models="class Item:\n    n = 3\n")
    assert proxies
