"""Instances that `__carry__` keeps adopt the new version of their class at the commit, and lose it at a revert."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

HUB = """
    __carry__ = ["hub", "rooms"]
    class Hub:
        {slots}
        def __init__(self):
            self.members = []
        def greet(self):
            return {n!r}, len(self.members)
    class Room(dict):
        def title(self):
            return {n!r}
    hub = Hub()
    rooms = {{"one": [Room(a=1)]}}
"""


@pytest.mark.parametrize("slots", ["", "__slots__ = ('members',)"])
def test_a_carried_instance_shows_the_new_behaviour_and_keeps_its_data(app: App, slots: str) -> None:
    app.boot(m=HUB.format(n="a", slots=slots))
    m: Any = __import__("m")
    hub, room = m.hub, m.rooms["one"][0]
    hub.members.append("ann")
    batch = app.prepare(m=HUB.format(n="b", slots=slots))
    assert (batch.warnings(), batch.carried_obstacles()) == ((), [])
    assert (hub.greet(), room.title()) == (("a", 1), "a"), "nothing changes before the commit"
    batch.commit()
    assert m.hub is hub
    assert (hub.greet(), room.title(), room) == (("b", 1), "b", {"a": 1})
    assert isinstance(hub, m.Hub)
    batch.revert()
    assert (hub.greet(), room.title()) == (("a", 1), "a")
    for name in "cde":
        app.load(m=HUB.format(n=name, slots=slots))
        assert (hub.greet(), room.title()) == ((name, 1), name)


@pytest.mark.parametrize("carry", ['__carry__ = ["hub", "rooms"]', ""], ids=["carried both ways", "carried one way"])
def test_an_instance_has_its_old_class_again_when_the_old_version_becomes_current_again(app: App, carry: str) -> None:
    old = HUB.format(n="a", slots="").replace('__carry__ = ["hub", "rooms"]', carry)
    app.boot(m=old)
    m: Any = __import__("m")
    hub, room = m.hub, m.rooms["one"][0]
    for _ in range(2):
        app.load(m=HUB.format(n="b", slots=""))
        hub.members.append("ann")
        assert (hub.greet(), room.title()) == (("b", len(hub.members)), "b")
        back = app.prepare(m=old)
        assert back.taken_back == {"m"}
        assert back.carried_obstacles() == []
        back.commit()
        assert m.hub is hub
        assert (hub.greet(), room.title()) == (("a", len(hub.members)), "a")
        assert isinstance(hub, m.Hub)


def test_a_revert_removes_the_attributes_that_the_new_class_has_added(app: App) -> None:
    app.boot(m=HUB.format(n="a", slots=""))
    m: Any = __import__("m")
    batch = app.load(m=HUB.format(n="b", slots=""))
    m.hub.members, m.hub.added = ["bob"], 1
    batch.revert()
    assert vars(m.hub) == {"members": ["bob"]}


def test_another_layout_is_an_obstacle(app: App) -> None:
    app.boot(m=HUB.format(n="a", slots=""))
    m: Any = __import__("m")
    batch = app.prepare(m=HUB.format(n="b", slots="__slots__ = ('members',)"))
    (obstacle,) = batch.carried_obstacles()
    assert obstacle.startswith(
        "`__carry__` keeps m.hub with an instance of m:Hub, whose new version has another layout"
    )
    batch.commit()
    assert m.hub.greet() == ("a", 0)


MODELS = """
from dataclasses import dataclass, field
from pydantic import BaseModel
class Message(BaseModel):
    text: str
    {model}
@dataclass
class Room:
    name: str
    {record}
class Plain:
    {plain}
"""
KEEPER = """
import models
import asyncio
import collections
{carry}
class Keeper:
    def __init__(self):
        self.log = collections.deque(models.Message(text=str(number)) for number in range(1500))
        self.rooms = asyncio.Queue()
        self.rooms.put_nowait(models.Room("lobby"))
        self.plain = {{"one": [models.Plain()]}}
keeper = Keeper()
"""
FIRST = {"model": "", "record": "", "plain": "pass"}


@pytest.mark.parametrize("loaded", ["the models", "both"])
def test_records_that_stay_get_the_defaults_of_new_fields(app: App, loaded: str) -> None:
    keeper = KEEPER.format(carry="__carry__ = ['keeper']")
    app.boot(models=MODELS.format(**FIRST), keeper=keeper)
    kept: Any = __import__("keeper").keeper
    models: Any = __import__("models")
    text = MODELS.format(model="room: str = 'lobby'", record="members: list = field(default_factory=list)", plain="x=1")
    batch = app.prepare(models=text, **({"keeper": keeper} if loaded == "both" else {}))
    assert batch.carried_obstacles() == []
    batch.commit()
    last, room = kept.log[-1], kept.rooms._queue[0]
    assert isinstance(last, models.Message)
    assert (last.room, last.model_dump()) == ("lobby", {"text": "1499", "room": "lobby"})
    assert (room, room.members) == (models.Room("lobby"), [])
    assert kept.plain["one"][0].x == 1
    assert not app.server.is_old_code_held("models")
    batch.revert()
    assert (vars(last), vars(room)) == ({"text": "1499"}, {"name": "lobby"})
    assert isinstance(last, models.Message)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "room: str"}, "models:Message, whose new version has a new field room without a default"),
        ({"record": "size: int"}, "models:Room, whose new version has a new field size without a default"),
        ({"plain": "def __init__(self): self.n = 1"}, "sets n in its initialiser, and the instance lacks it"),
        ({"record": "size: int = 1 // 0 if False else field(default_factory=lambda: 1 // 0)"}, "ZeroDivisionError"),
    ],
)
def test_an_instance_that_would_lack_something_is_an_obstacle(app: App, change: dict[str, str], said: str) -> None:
    app.boot(models=MODELS.format(**FIRST), keeper=KEEPER.format(carry=""))
    __import__("keeper")
    batch = app.prepare(models=MODELS.format(**FIRST | change))
    (obstacle,) = batch.carried_obstacles()
    assert obstacle.startswith("keeper, which the load leaves alone, keeps keeper with an instance of models:")
    assert said in obstacle


def test_a_value_that_does_not_fit_its_new_type_is_an_obstacle(app: App) -> None:
    app.boot(m="from dataclasses import dataclass\n__carry__ = ['a']\n@dataclass\nclass A:\n    n: int\na = A(1)")
    __import__("m")
    text = "from dataclasses import dataclass\n__carry__ = ['a']\n@dataclass\nclass A:\n    n: {}\na = A(1)"
    (obstacle,) = app.prepare(m=text.format("list[int]")).carried_obstacles()
    assert obstacle.endswith("has a field of another type: n is an int, not list[int]")
    assert app.prepare(m=text.format("int | None")).carried_obstacles() == []


def test_a_revert_restores_slots_and_what_the_new_class_has_deleted(app: App) -> None:
    text = """
        __carry__ = ["hub", "other"]
        class Hub:
            __slots__ = ("members", "extra", "__dict__")
            def version(self): return {n}
        hub, other = Hub(), Hub()
    """
    app.boot(m=text.format(n=1))
    m: Any = __import__("m")
    m.hub.members, m.hub.note, m.hub.kept = ["ann"], "note", 1
    batch = app.load(m=text.format(n=2))
    m.hub.extra, m.hub.added, m.hub.kept = "new", "new", 2
    del m.hub.members, m.hub.note
    m.other.extra = 1
    batch.revert()
    assert (m.hub.members, vars(m.hub)) == (["ann"], {"note": "note", "kept": 2})
    assert not hasattr(m.hub, "extra")
    assert not hasattr(m.other, "extra")


def test_an_instance_in_an_attribute_of_a_class_that_the_load_leaves_alone_adopts_its_new_class(app: App) -> None:
    models = "class Theme:\n    def title(self): return {n}"
    app.boot(models=models.format(n=1), keeper="import models\nclass Page:\n    theme = models.Theme()")
    page: Any = __import__("keeper").Page
    batch = app.load(models=models.format(n=2))
    assert page.theme.title() == 2
    batch.revert()
    assert page.theme.title() == 1


def test_loggers_adopt_the_new_version_of_their_class(app: App) -> None:
    text = """
        import logging
        class Named(logging.Logger):
            def title(self):
                return {n!r}
        before = logging.getLoggerClass()
        logging.setLoggerClass(Named)
        log = logging.getLogger("tests.adoption.named")
        logging.setLoggerClass(before)
    """
    app.boot(m=text.format(n="a"))
    m: Any = __import__("m")
    logger = m.log
    batch = app.load(m=text.format(n="b"))
    assert m.log is logger
    assert (logger.title(), type(logger) is m.Named) == ("b", True)
    batch.revert()
    assert (logger.title(), type(logger) is m.Named) == ("a", True)
    del logging.Logger.manager.loggerDict[logger.name]
