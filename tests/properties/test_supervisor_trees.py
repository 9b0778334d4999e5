"""Random trees of supervisors, random exits and management calls: they behave exactly as a small model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node_runtime import (
    ChildSpec,
    GenServer,
    Pid,
    Runtime,
    Stop,
    Supervisor,
    cast,
    exit,
    gen_server,
    supervisor,
    trap_exit,
    whereis,
)
from node_runtime.behaviours.supervision.management import table_of
from node_runtime.supervisor import ChildRefused
from tests.support import supervision_model as model
from tests.support.hypothesis_profiles import PROFILE, orphans, quiescent, quiet, with_runtime
from tests.support.subclasses import subclass

__all__ = ["quiet"]

log: model.Log = []
faults: dict[str, int] = {}


# ------------------------------------------------------------------ what an example is made of


@dataclass(frozen=True)
class Worker:
    """The plan of a worker."""

    restart: str
    significant: bool = False


@dataclass(frozen=True)
class Tree:
    """The plan of a supervisor."""

    restart: str
    strategy: str
    intensity: int
    auto_shutdown: str
    children: tuple[Worker | Tree, ...]
    significant: bool = False


RESTARTS = st.sampled_from(["permanent", "transient", "temporary"])
WORKERS = st.builds(Worker, RESTARTS, st.booleans())


def trees(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """A strategy for supervisors of such children."""
    return st.builds(
        Tree,
        RESTARTS,
        st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        st.sampled_from([0, 1, 3, 100]),
        st.sampled_from(["never", "any_significant", "all_significant"]),
        st.lists(children, min_size=1, max_size=4).map(tuple),
        st.booleans(),
    )


TREES = trees(st.one_of(WORKERS, trees(st.one_of(WORKERS, trees(WORKERS)))))
NUMBERS = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(st.just("end"), NUMBERS, st.sampled_from(["normal", "shutdown", "trouble", "kill"])),
    st.tuples(st.just("end"), NUMBERS, st.sampled_from(["trouble", "kill"])),
    st.tuples(st.just("fault"), NUMBERS, st.integers(1, 3)),
    st.tuples(st.sampled_from(["terminate", "restart", "delete"]), NUMBERS, NUMBERS),
    st.tuples(st.just("start"), NUMBERS, RESTARTS),
)


# ------------------------------------------------------------------ the real thing


class Server(GenServer[str]):
    """A worker that logs as the model's leaf."""

    def init(self, name: str) -> str:
        trap_exit()
        if faults.get(name):
            faults[name] -= 1
            log.append(("fail", name))
            raise ValueError(name)
        log.append(("start", name))
        return name

    def end(self, reason: object) -> None:
        raise Stop(reason)

    def terminate(self, reason: object) -> None:
        log.append(("stop", self.state))


class Plain(Supervisor):
    def children(self, *specs: ChildSpec) -> list[ChildSpec]:
        return list(specs)


async def start_server(name: str) -> Pid:
    return await gen_server.start_link(Server, name, name=name)


async def start_tree(tree: Tree, name: str) -> Pid:
    flags = {
        "strategy": tree.strategy,
        "intensity": tree.intensity,
        "period": 3600.0,
        "auto_shutdown": tree.auto_shutdown,
        "__module__": __name__,
    }
    cls = subclass("Flagged", Plain, **flags)
    return await supervisor.start_link(cls, *specs(tree, name), name=name)


def specs(tree: Tree, name: str) -> list[ChildSpec]:
    """The specifications of a supervisor's children, named as in the model."""
    made = []
    for number, child in enumerate(tree.children):
        id, significant = f"{name}.{number}", is_significant(tree, child)
        if isinstance(child, Tree):
            spec = ChildSpec(id, f"{__name__}:start_tree", (child, id), type="supervisor")
        else:
            spec = ChildSpec(id, f"{__name__}:start_server", (id,))
        made.append(replace(spec, restart=child.restart, significant=significant))  # type: ignore[arg-type]  # sampled
    return made


def is_significant(tree: Tree, child: Worker | Tree) -> bool:
    return child.significant and child.restart != "permanent" and tree.auto_shutdown != "never"


def modelled(tree: Tree, name: str, expected: model.Log, due: dict[str, int], significant: bool = False) -> model.Sup:
    """The model of a tree."""
    children: list[model.Leaf | model.Sup] = []
    for number, child in enumerate(tree.children):
        id, counts = f"{name}.{number}", is_significant(tree, child)
        if isinstance(child, Tree):
            children.append(modelled(child, id, expected, due, counts))
        else:
            children.append(model.Leaf(id, child.restart, expected, due, counts))
    return model.Sup(name, tree.restart, tree.strategy, tree.intensity, tree.auto_shutdown, children, significant)


def settled_tables(runtime: Runtime) -> bool:
    """Returns whether no supervisor is restarting a child."""
    tables = [table_of(one.pid) for one in runtime.processes.values() if one.kind == "supervisor"]
    return not any(child.restarting for table in tables for child in table.children.values())


# ------------------------------------------------------------------ both, step by step


async def step(what: str, one: int, other: Any, root: model.Sup, expected: model.Log, due: dict[str, int]) -> None:
    """Apply the same step to both, and compare the results."""
    below = [root, *root.below()]
    if what in ("end", "fault"):
        leaves = [child for child in below if isinstance(child, model.Leaf)]
        if leaves and what == "end":
            _end(leaves[one % len(leaves)], other, below)
        elif leaves:
            leaf = leaves[one % len(leaves)]
            faults[leaf.id] = due[leaf.id] = other
        return
    sups = [child for child in below if isinstance(child, model.Sup)]
    sup = sups[one % len(sups)]
    if what == "start":
        leaf = model.Leaf(f"{sup.id}.{len(sup.children)}", other, expected, due)
        spec = ChildSpec(leaf.id, f"{__name__}:start_server", (leaf.id,), restart=other)
        assert await _answer(supervisor.start_child(sup.id, spec)) == _said(sup.start_child, leaf)
        return
    ids = [*(child.id for child in sup.children), "nobody"]
    id = ids[other % len(ids)]
    real = {"terminate": supervisor.terminate_child, "restart": supervisor.restart_child}
    wanted = {"terminate": sup.terminate_child, "restart": sup.restart_child, "delete": sup.delete_child}[what]
    assert await _answer(real.get(what, supervisor.delete_child)(sup.id, id)) == _said(wanted, id)


def _end(leaf: model.Leaf, reason: str, below: list[model.Leaf | model.Sup]) -> None:
    above = next(one for one in below if isinstance(one, model.Sup) and leaf in one.children)
    if reason == "kill":
        exit(leaf.id, "kill")
        leaf.running = False
    else:
        cast(leaf.id, Server.end, reason)
        leaf.stop()
    above.ended(leaf, orderly=reason in ("normal", "shutdown"))


async def _answer(asked: Any) -> str:
    try:
        await asked
    except ChildRefused as refused:
        return refused.reason
    return "ok"


def _said(asked: Any, argument: Any) -> str:
    try:
        asked(argument)
    except model.Refused as refused:
        return str(refused)
    return "ok"


def compare(runtime: Runtime, root: model.Sup, expected: model.Log) -> None:
    """Check that both logged the same and have the same children."""
    assert log == expected
    for sup in [root, *root.below()]:
        if isinstance(sup, model.Sup) and sup.running:
            children = [(child.id, child.pid is not None) for child in supervisor.which_children(sup.id)]
            assert children == [(child.id, child.running) for child in sup.children]
    running = {child.id for child in root.below()} | ({root.id} if root.running else set())
    assert set(runtime.names) == running
    assert orphans(runtime) == []


@PROFILE
@given(st.booleans(), TREES, st.lists(STEPS, min_size=3, max_size=25))
def test_a_tree_does_what_its_model_does(inline: bool, tree: Tree, steps: list[tuple[str, int, Any]]) -> None:
    log.clear()
    faults.clear()

    async def body(runtime: Runtime) -> None:
        expected: model.Log = []
        due: dict[str, int] = {}
        root = modelled(tree, "top", expected, due)
        root.start()
        await start_tree(tree, "top")
        for what, one, other in steps:
            if not root.running:
                break
            await step(what, one, other, root, expected, due)
            await quiescent(runtime, lambda: settled_tables(runtime))
            compare(runtime, root, expected)
        if (top := whereis("top")) is not None:
            root.stop()
            exit(top, "shutdown")
        await quiescent(runtime)
        assert log == expected
        assert not runtime.processes

    with_runtime(inline, body)


# ------------------------------------------------------------------ instances


@PROFILE
@given(
    st.booleans(),
    RESTARTS,
    st.lists(
        st.tuples(st.sampled_from(["start", "terminate", "normal", "trouble", "kill", "fault"]), NUMBERS), max_size=30
    ),
)
def test_the_instances_are_those_that_were_started_and_have_not_ended(
    inline: bool, restart: str, steps: list[tuple[str, int]]
) -> None:
    log.clear()
    faults.clear()

    class Pool(Supervisor):
        strategy = "simple_one_for_one"
        intensity = 1000

        def children(self) -> list[ChildSpec]:
            return [ChildSpec("server", f"{__name__}:start_server", restart=restart)]  # type: ignore[arg-type]  # sampled

    async def body(runtime: Runtime) -> None:
        expected: set[str] = set()
        await supervisor.start_link(Pool, name="pool")
        for number, (what, one) in enumerate(steps):
            name = sorted(expected)[one % len(expected)] if expected else ""
            if what == "start":
                await supervisor.start_child("pool", [f"server{number}"])
                expected.add(f"server{number}")
            elif name:
                await _to_instance(what, name)
                lasting = restart == "permanent" or (restart == "transient" and what != "normal")
                if what == "terminate" or (what != "fault" and not lasting):
                    expected.discard(name)
            await quiescent(runtime, lambda: not any(one.restarting for one in table_of("pool").by_pid.values()))
            assert set(runtime.names) == {"pool", *expected}
            assert supervisor.count_children("pool").active == len(expected) == len(supervisor.which_children("pool"))
            assert orphans(runtime) == []

    with_runtime(inline, body)


async def _to_instance(what: str, name: str) -> None:
    pid = whereis(name)
    assert pid is not None
    if what == "terminate":
        await supervisor.terminate_child("pool", pid)
    elif what == "fault":
        faults[name] = 2
    elif what == "kill":
        exit(pid, "kill")
    else:
        cast(pid, Server.end, what)
