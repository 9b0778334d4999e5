"""Keys that are the `id` of an object: the default migration can't keep them, and says so."""

from __future__ import annotations

import pytest

from tests.support.migrated import versions

ITEM = "class Item:\n    version = {n}\n    def __init__(self, at=None):\n        self.at = at\n"


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("(lambda one: {'all': [one], 'names': {id(one): 'first'}})(Item())", "dict"),
        ("(lambda one: {id(one): one})(Item())", "dict"),
        ("(lambda one: [one, {id(one)}])(Item())", "set"),
        ("(lambda one: [one, frozenset({id(one)})])(Item())", "frozenset"),
    ],
)
def test_an_id_of_an_object_that_is_replaced_is_an_obstacle(expression: str, kind: str) -> None:
    with versions(ITEM.format(n=1), ITEM.format(n=2)) as both:
        (found,) = both.up(both.old(expression)).obstacles
        expected = f"a {kind} contains the id() of an object of migrated_module.Item, and a new object gets another"
        assert str(found).startswith(expected)


def test_an_id_of_an_object_that_stays_is_none() -> None:
    with versions(ITEM.format(n=1), ITEM.format(n=2)) as both:
        stays = ["kept"]
        names = both.up([{id(stays): "first", 3: "third"}, stays, both.old("Item()")]).value[0]
        assert names == {id(stays): "first", 3: "third"}


def test_a_dict_whose_keys_are_its_attributes_stays_one() -> None:
    body = (
        "class Attributes(dict):\n    version = {n}\n    def __init__(self, **given):\n"
        "        super().__init__(**given)\n        self.__dict__ = self\n"
    )
    with versions(body.format(n=1), body.format(n=2)) as both:
        new = both.migrated("Attributes(a=Attributes(b=1))")
        new.a.c = 2
        assert new == {"a": {"b": 1, "c": 2}}
        assert new.a.version == 2
