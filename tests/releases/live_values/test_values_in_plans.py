"""Plans say what live processes hold of code that goes: which values, where, and what becomes of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from node_runtime import gen_server
from node_runtime.protocol import messages as m

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

pytest_plugins = ["tests.support.nodes.small_node"]

BOX = """
from node_runtime import GenServer
{imports}
class Box(GenServer[object]):
    def init(self, *args):
        return {state}
    def put(self, value):
        pass
    async def hold(self, gate, *args, **kwargs):
        await gate
"""
STATUS = """
import enum
class Status(enum.Enum):
    OPEN = "open"
    PAID = "paid"
"""
STATUS_2 = STATUS + '    REFUNDED = "refunded"\n'
LOAD_STATUS = """
    [[up]]
    from = "1"
    instructions = [ { load_module = "shop.status" } ]
    [[down]]
    to = "1"
    instructions = [ { load_module = "shop.status" } ]
"""
UPDATE_BOX = LOAD_STATUS.replace(
    '{ load_module = "shop.status" }',
    '{ load_module = "shop.status" }, { update = "shop.box", change = "advanced", deps = ["shop.status"] }',
)


async def boxes(small: SmallNode, state: str, names: tuple[str, ...], old: str, new: str, appup: str) -> m.Plan:
    """Start a box of each name with a state; return the plan for release 2, in which shop.status differs."""
    box = BOX.format(imports="from shop import status", state=state)
    small.write("1", {"shop.status": old, "shop.box": box})
    small.write("2", {"shop.status": new, "shop.box": box}, appup)
    small.boot()
    for name in names:
        await gen_server.start(importlib.import_module("shop.box").Box, name=name)
    return await small.handler.plan("2")


async def test_an_enum_member_in_a_state_whose_enum_is_replaced_is_a_blocker_that_names_everything(
    small: SmallNode,
) -> None:
    state = '{"orders": [{"status": "x"}, {"status": status.Status.OPEN}]}'
    plan = await boxes(small, state, ("box",), STATUS, STATUS_2, LOAD_STATUS)
    (blocker,) = plan.blockers
    assert blocker.reason == (
        "box holds a value of shop.status:Status in its state at ['orders'][1]['status'], and release 2 replaces that "
        "class, which adds REFUNDED"
    )
    assert blocker.remedy == (
        'add to the appup of release 2 { update = "shop.box", change = "advanced", deps = ["shop.status"] }: '
        "then code_change converts the value"
    )
    assert not blocker.transient
    (value,) = plan.live_values
    assert (value.name, value.place, value.path, value.sort) == (
        "box", "state", "['orders'][1]['status']", "instance",
    )  # fmt: skip
    assert (value.code, value.outcome, value.added) == ("shop.status:Status", "blocked", ("REFUNDED",))
    aborted = await small.install("2")
    assert aborted.outcome == "aborted"
    assert aborted.error is not None
    assert blocker.reason in aborted.error


async def test_a_class_that_stays_the_same_is_not_mentioned(small: SmallNode) -> None:
    plan = await boxes(small, "[status.Status.OPEN]", ("box",), STATUS, STATUS + "X = 1\n", LOAD_STATUS)
    assert plan.blockers == ()
    assert plan.live_values == ()


HOLDERS = {
    "an instance of a plain class": ("[status.Thing()]", "instance", "shop.status:Thing", "[0]"),
    "an attribute": ("status.outer(status.Thing())", "instance", "shop.status:Thing", ".inner"),
    "a class": ("{'make': status.Thing}", "class", "shop.status:Thing", "['make']"),
    "a function": ("{'call': status.make}", "function", "shop.status:make", "['call']"),
    "a partial": ("functools.partial(status.make, 1)", "function", "shop.status:make", ".func"),
    "a bound method": ("[status.KEPT.method]", "bound method", "shop.status:Kept.method", "[0]"),
    "a key": ("{status.Thing(): 1}", "instance", "shop.status:Thing", "[key]"),
    "a set": ("{1, status.Thing()}", "instance", "shop.status:Thing", "[…]"),
    "a closure": ("[closed(status.Thing())]", "instance", "shop.status:Thing", "[0].__closure__[0][…]"),
    "a queue": ("queued(status.Thing())", "instance", "shop.status:Thing", "._queue[…]"),
    "a named tuple of another module": ("Pair(1, status.Thing())", "instance", "shop.status:Thing", ".right"),
    "a slot": ("Slotted(status.Thing())", "instance", "shop.status:Thing", ".part"),
}
THINGS = """
import dataclasses
class Thing:
    release = 1
    def method(self):
        pass
@dataclasses.dataclass
class Kept:
    x: int = 0
    def method(self):
        pass
KEPT = Kept()
class Lost(Exception):
    number = 1
    def __init__(self, what):
        self.what = what
def make(*args):
    pass
async def later():
    pass
def each():
    yield 1
def outer(thing):
    from shop.box import Outer
    made = Outer()
    made.inner = thing
    return made
"""
PARTS = """
import asyncio, collections, functools
Pair = collections.namedtuple("Pair", "left right")
class Outer:
    pass
class Slotted:
    __slots__ = ("part",)
    def __init__(self, part):
        self.part = part
def closed(thing):
    return lambda: thing
def queued(thing):
    made = asyncio.Queue()
    made.put_nowait(thing)
    return made
"""


async def things(small: SmallNode, box: str, *names: str) -> m.Plan:
    """Start a box of each name; return the plan for release 2, in which shop.status is loaded anew."""
    small.write("1", {"shop.status": THINGS, "shop.box": box})
    small.write("2", {"shop.status": THINGS.replace("= 1", "= 2"), "shop.box": box}, LOAD_STATUS)
    small.boot()
    for name in names:
        await gen_server.start(importlib.import_module("shop.box").Box, name=name)
    return await small.handler.plan("2")


@pytest.mark.parametrize("what", HOLDERS)
async def test_each_kind_of_value_of_replaced_code_is_found(small: SmallNode, what: str) -> None:
    state, sort, code, path = HOLDERS[what]
    box = PARTS + BOX.format(imports="from shop import status", state=state)
    plan = await things(small, box, "box")
    (value,) = plan.live_values
    assert (value.sort, value.code, value.outcome) == (sort, code, "blocked")
    assert value.path == path
    (blocker,) = plan.blockers
    assert code in blocker.reason


async def test_an_exception_does_no_harm_in_old_code_so_it_is_a_warning(small: SmallNode) -> None:
    plan = await things(small, BOX.format(imports="from shop import status", state="[status.Lost('it')]"), "box")
    (value,) = plan.live_values
    assert (value.sort, value.code, value.path, value.outcome) == ("exception", "shop.status:Lost", "[0]", "kept")
    assert plan.blockers == ()
    (warning,) = (one for one in plan.warnings if "shop.status:Lost" in one)
    assert warning.startswith("box holds ")


async def test_what_the_warnings_leave_out_is_counted(small: SmallNode) -> None:
    lost = "[type(f'Lost{n}', (status.Lost,), {'__module__': 'shop.status'})('') for n in range(23)]"
    plan = await things(small, BOX.format(imports="from shop import status", state="LOST").replace("LOST", lost), "box")
    assert len([one for one in plan.warnings if "an exception of shop.status:Lost" in one]) == 20
    assert "And 3 more kinds of exceptions of old code are held by processes." in plan.warnings


SUSPENDED = {
    "a coroutine": ("[status.later()]", "coroutine", "shop.status:later"),
    "a generator": ("[status.each()]", "generator", "shop.status:each"),
}


@pytest.mark.parametrize("what", SUSPENDED)
@pytest.mark.filterwarnings("ignore:coroutine")
async def test_a_generator_that_a_state_keeps_is_a_blocker(small: SmallNode, what: str) -> None:
    state, sort, code = SUSPENDED[what]
    plan = await things(small, BOX.format(imports="from shop import status", state=state), "box")
    (value,) = plan.live_values
    assert (value.sort, value.code, value.path, value.outcome) == (sort, code, "[0]", "blocked")
    (blocker,) = plan.blockers
    assert blocker.reason == f"box holds a {sort} of {code} in its state at [0], and release 2 replaces that code"
    assert blocker.remedy.startswith(
        "write a code_change of Box that makes it anew, and add to the appup of release 2 "
        '{ update = "shop.box", change = "advanced" }; or '
    )


@pytest.mark.parametrize("anew", [False, True])
async def test_a_code_change_can_make_a_generator_anew(small: SmallNode, anew: bool) -> None:
    text = BOX.format(imports="from shop import status", state="[status.each()]")
    change = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return [(old_vsn.target.status if hasattr(old_vsn, "target") else status).each()]
"""
    box = text + (change if anew else "")
    each = "def each():\n    yield {}\n"
    small.write("1", {"shop.box": text, "shop.status": each.format(1)})
    small.write("2", {"shop.box": box + "RELEASE = 2\n", "shop.status": each.format(2)}, UPDATE_BOX)
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    plan = await small.handler.plan("2")
    if anew:
        assert [one.reason for one in plan.blockers] == []
    else:
        (blocker,) = plan.blockers
        assert blocker.remedy.startswith("write a code_change of Box that makes it anew; or ")


async def test_what_two_processes_share_is_found_for_both(small: SmallNode) -> None:
    box = BOX.format(imports="from shop import status\nSHARED = {'thing': [status.Thing()]}", state="[SHARED]")
    plan = await things(small, box, "box1", "box2", "box3", "box4", "box5")
    (value,) = plan.live_values
    assert (value.processes, value.path) == (5, "[0]['thing'][0]")
    (blocker,) = plan.blockers
    assert blocker.reason.startswith("box1, box2, box3 and 2 more hold a value of shop.status:Thing in its state")


async def test_a_process_of_the_same_module_needs_an_update_in_place_of_its_load(small: SmallNode) -> None:
    first = BOX.format(imports="class State:\n    release = 1\n", state="State()")
    small.write("1", {"shop.box": first})
    small.write("2", {"shop.box": first.replace("= 1", "= 2")}, LOAD_STATUS.replace("shop.status", "shop.box"))
    small.boot()
    await gen_server.start(importlib.import_module("shop.box").Box, name="box")
    (blocker,) = (await small.handler.plan("2")).blockers
    assert blocker.reason == (
        "box holds a value of shop.box:State in its state, and release 2 replaces that class"
    )  # fmt: skip
    assert blocker.remedy.startswith(
        'replace the load_module of shop.box in the appup of release 2 by { update = "shop.box", change = "advanced" }'
    )


async def test_an_object_that_the_new_code_compares_by_identity_is_a_blocker(small: SmallNode) -> None:
    plan = await boxes(
        small, "[status.UNSET]", ("box",), "UNSET = object()\n", "UNSET = object()\nX = 1\n", LOAD_STATUS
    )
    (blocker,) = plan.blockers
    assert blocker.reason == (
        "box holds a value of shop.status:UNSET in its state at [0], and release 2 replaces that code"
    )
    assert 'deps = ["shop.status"]' in blocker.remedy
