"""The default migration of msgspec structs, and structs that stay the same across a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.support.migrated import versions

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

STRUCTS = """
    import msgspec
    from typing import Any
    MADE = []

    class Item(msgspec.Struct):
        sku: str
        qty: int = 1
        def __post_init__(self):
            MADE.append(self)

    class Cart(msgspec.Struct, frozen=True, tag="cart", array_like=True, cache_hash=True):
        items: tuple[Item, ...]
        note: str = ""

    class Loose(msgspec.Struct, kw_only=True, dict=True, weakref=True, rename="camel"):
        first_name: str
        item: Item | None = None
"""
GROWN = (
    STRUCTS.replace("qty: int = 1", "qty: int = 1\n        more: list = []")
    .replace('note: str = ""', 'note: str = ""\n        paid: bool = False')
    .replace("item: Item", "size: int = msgspec.field(default_factory=lambda: 7)\n        item: Item")
)
OLD = "(Item('a', 2), Cart((Item('b'),), 'n'), Loose(first_name='f', item=Item('c')))"


def test_structs_go_up_and_come_back_without_their_initialisers() -> None:
    with versions(STRUCTS, GROWN) as both:
        old = both.old(OLD)
        old[2].extra = old[0]
        both.a["MADE"].clear()
        done = both.up(old)
        assert not done.obstacles
        new = done.value
        assert both.a["MADE"] == both.b["MADE"] == []
        assert new == eval(OLD, both.b)
        assert (new[0].more, new[1].paid, new[2].size, new[2].extra) == ([], False, 7, new[0])
        assert msgspec.json.encode(new[1]) == b'["cart",[{"sku":"b","qty":1,"more":[]}],"n",false]'
        empty = both.up(both.old("Cart(())")).value
        assert (type(empty), hash(empty)) == (both.b["Cart"], hash(both.b["Cart"](())))
        with pytest.raises(AttributeError, match="immutable"):
            new[1].note = "x"
        back = both.down(new).value
        assert back == old
        assert back[2].extra is back[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("qty: int = 1", "qty: int = 1\n        more: list = msgspec.UNSET"), None),
        (("sku: str", "name: str\n        sku: str"), "has a new field name without a default"),
        (("sku: str", "sku: int"), "Item.sku is a str, not int"),
    ],
)
def test_what_a_struct_can_not_become_is_an_obstacle(change: tuple[str, str], reason: str | None) -> None:
    with versions(STRUCTS, STRUCTS.replace(*change)) as both:
        done = both.up(both.old("Item('a')"))
        assert [one.reason.endswith(reason or "") for one in done.obstacles] == ([] if reason is None else [True])


def test_a_field_that_the_target_lacks_is_named() -> None:
    with versions(GROWN, STRUCTS) as both:
        done = both.up(both.old("Item('a', 2, [1])"))
        assert [(one.field, one.with_data) for one in done.lost] == [("more", 1)]


@pytest.mark.parametrize(
    "keep", ["", "def __post_init__(self): self.x += 1", "z: int = msgspec.field(default_factory=f)"]
)
def test_an_unchanged_struct_keeps_its_class_unless_msgspec_has_kept_its_functions(app: App, keep: str) -> None:
    text = f"""
        import msgspec
        def f(): return 1
        class Item(msgspec.Struct, tag=True):
            x: int = 1
            y: list = []
            {keep or "def double(self): return self.x * 2"}
        N = %s
    """
    app.boot(m=text % 1)
    m: Any = __import__("m")
    old, item = m.Item, m.Item(2)
    app.load(m=text % 2)
    assert (m.Item is old) is (not keep)
    if not keep:
        assert item.double() == 4
        assert not app.server.is_old_code_held("m")
        app.load(m=(text % 3).replace("y: list = []", "y: list = msgspec.field(default_factory=dict)"))
        assert m.Item is not old


def test_a_struct_that_a_module_keeps_adopts_its_new_class(app: App) -> None:
    text = """
        import msgspec
        __carry__ = ["kept"]
        class Item(msgspec.Struct, frozen=True):
            x: int
            {more}
            def show(self): return {n}
        kept = {{"a": [Item(1)]}}
    """
    app.boot(m=text.format(n=1, more=""))
    m: Any = __import__("m")
    kept = m.kept["a"][0]
    batch = app.load(m=text.format(n=2, more=""))
    assert (kept.show(), type(kept)) == (2, m.Item)
    batch.revert()
    assert kept.show() == 1
    (obstacle,) = app.prepare(m=text.format(n=2, more="y: int = 1")).carried_obstacles()
    assert "m:Item, whose new version has another layout" in obstacle
