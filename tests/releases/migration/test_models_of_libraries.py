"""The default migration of pydantic models and attrs classes."""

from __future__ import annotations

import pytest

from tests.support.migrated import versions

pytest.importorskip("pydantic")
pytest.importorskip("attr")

MODELS = """
    import attr, attrs
    from typing import Any
    from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, field_validator

    class Item(BaseModel):
        sku: str
        qty: int = 1
        _seen: int = PrivateAttr(default=5)
        def model_post_init(self, context):
            self._seen = self._seen + 1

    class Cart(BaseModel):
        model_config = ConfigDict(extra="allow")
        items: list[Item] = []
        name: str = Field("n", alias="cartName")

    class Numbers(RootModel[list[int]]):
        pass

    @attrs.define
    class Point:
        x: int
        _tags: list = attrs.field(factory=list)
        made: int = attrs.field(init=False, default=3)

    @attrs.frozen(cache_hash=True)
    class Key:
        name: str
"""
GROWN = (
    MODELS.replace("qty: int = 1", "qty: int = 1\n        more: list = Field(default_factory=list)")
    .replace(
        "_tags: list", "double: int = attrs.Factory(lambda self: self.x * 2, takes_self=True)\n        _tags: list"
    )
    .replace("name: str\n", "name: str\n        more: int = 0\n")
)


def test_models_and_attrs_classes_go_up_and_come_back() -> None:
    with versions(MODELS, GROWN) as both:
        old = both.old("[Item(sku='a', qty=2), Cart(items=[Item(sku='b')], cartName='c', other=4), Numbers([1])]")
        new = both.up(old).value
        assert new == eval(
            "[Item(sku='a', qty=2, more=[]), Cart(items=[Item(sku='b')], cartName='c', other=4), Numbers([1])]", both.b
        )
        assert new[0]._seen == 6, "model_post_init has not run again"
        assert (new[0].model_fields_set, new[1].model_extra) == ({"sku", "qty"}, {"other": 4})
        assert both.down(new).value == old
        assert old == both.old(
            "[Item(sku='a', qty=2), Cart(items=[Item(sku='b')], cartName='c', other=4), Numbers([1])]"
        )


def test_attrs_classes() -> None:
    with versions(MODELS, GROWN) as both:
        old = both.old("[Point(1, ['t']), {Key('k'): 1}]")
        new = both.up(old).value
        assert new == eval("[Point(1, 2, ['t']), {Key('k'): 1}]", both.b)
        done = both.down(new)
        assert done.value == old
        assert [str(one) for one in done.lost] == ["migrated_module:Point.double", "migrated_module:Key.more"]


QTY = "qty: int = 1"
SHOUTED = "\n        @field_validator('sku')\n        def up(cls, v):\n            return v.upper()"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("sku: str", "sku: int"), "migrated_module:Item.sku: Input should be a valid integer"),
        ((QTY, "qty: int = Field(1, gt=5)"), "migrated_module:Item.qty: Input should be greater than 5"),
        ((QTY, QTY + "\n        owner: str"), "migrated_module:Item has a new field owner without a default"),
        ((QTY, QTY + SHOUTED), "migrated_module:Item.sku: its validation would change the value"),
    ],
)  # fmt: skip
def test_a_model_that_would_not_validate_is_an_obstacle(change: tuple[str, str], sentence: str) -> None:
    with versions(MODELS, MODELS.replace(*change)) as both:
        (found,) = both.up(both.old("Item(sku='a')")).obstacles
        assert str(found) == sentence


def test_a_private_attribute_that_only_the_new_model_post_init_sets_is_an_obstacle() -> None:
    before = "from pydantic import BaseModel, PrivateAttr\nclass Item(BaseModel):\n    sku: str\n"
    private = "    _seen: int = PrivateAttr({})\n    def model_post_init(self, context):\n        self._seen = 1\n"
    with versions(before, before + private.format("")) as both:
        (found,) = both.up(both.old("Item(sku='a')")).obstacles
        assert "the initialiser of migrated_module:Item sets _seen, which the old objects don't have" in str(found)
    with versions(before, before + private.format("default=3")) as both:
        assert both.migrated("Item(sku='a')")._seen == 3


def test_a_model_that_was_never_valid_is_taken_over() -> None:
    with versions(MODELS, GROWN) as both:
        old = both.old("Item(sku='a')")
        old.qty = "many"
        assert both.up(old).value.qty == "many"


def test_a_vanished_field_is_lost_or_becomes_an_extra_value() -> None:
    with versions(
        MODELS, MODELS.replace("        qty: int = 1\n", "").replace("name: str = F", "title: str = F")
    ) as both:
        done = both.up(both.old("[Item(sku='a', qty=4), Cart(cartName='c')]"))
        assert [(one.field, one.with_data) for one in done.lost] == [("qty", 1)]
        assert done.value[1].model_extra == {"name": "c"}
