"""Queries for pages of processes and of the tree, from clients of a real node."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from node_runtime import GenServer, Pid, call, cast, exit, gen_server, register, spawn_task, supervisor, sys
from node_runtime.control.queries import membership, process_queries, slices
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import ExitCode, Refused
from node_runtime.supervisor import ChildSpec, Supervisor
from tests.support.waiting import answered, eventually
from tests.support.written_modules import imported

if TYPE_CHECKING:
    from tests.support.nodes.shop_node import Node

pytest_plugins = ["tests.support.nodes.shop_node"]


class Worker(GenServer[dict[str, Any]]):
    def init(self, number: int, password: str = "") -> dict[str, Any]:
        return {"number": number}

    def add(self) -> None:
        pass

    def wait(self, released: threading.Event) -> None:
        released.wait()


async def start_worker(number: int, password: str = "") -> Pid:
    return await gen_server.start_link(Worker, number, password)


class Pool(Supervisor):
    strategy, intensity, period = "simple_one_for_one", 100, 1.0

    def children(self) -> list[ChildSpec]:
        return [ChildSpec("worker", start=f"{__name__}:start_worker")]


@asynccontextmanager
async def pool_of(size: int) -> AsyncIterator[list[Pid]]:
    """A pool beside the node's application, with `size` workers."""
    pool = await supervisor.start_link(Pool, name="pool")
    pids = [await supervisor.start_child("pool", [number, "hunter2"]) for number in range(size)]
    try:
        yield [pid for pid in pids if pid is not None]
    finally:
        exit(pool, "shutdown")


async def page(client: Client, **query: Any) -> m.ProcessPage:
    return await client.request(methods.PROCESSES, m.ProcessQuery(**query))


async def tree(client: Client, **query: Any) -> m.TreePage:
    return await client.request(methods.TREE, m.TreeQuery(**query))


def titles(found: m.TreePage) -> list[str]:
    """Each line as its last name, indented by its depth."""
    return [
        f"{'  ' * (len(line.levels) - 1)}{f'+{line.hidden}' if line.hidden else line.path.rpartition('/')[2]}"
        for line in found.lines
    ]


async def test_a_page_has_only_the_rows_that_were_asked_for(shop: Node) -> None:
    async with pool_of(120) as pids, shop.client("viewer") as client:
        found = await page(client, filter="module:*test_process_queries kind:gen_server", offset=100, limit=10)
        assert (found.matched, found.offset, len(found.rows)) == (120, 100, 10)
        assert found.pids == tuple(map(int, pids[100:110]))
        assert found.total > 120


async def test_a_page_follows_a_process_to_its_place(shop: Node) -> None:
    async with pool_of(50) as pids, shop.client() as client:
        found = await page(client, filter="module:*test_process_queries", follow=int(pids[30]), lead=5, limit=10)
        assert found.index is not None
        assert found.offset == found.index - 5
        assert found.pids[5] == pids[30]
        backwards = await page(client, order="pid", reverse=True, follow=int(pids[30]), limit=1)
        assert backwards.pids == (pids[30],)


async def test_processes_are_found_by_their_names_and_pids(shop: Node) -> None:
    async with pool_of(3) as pids, shop.client() as client:
        found = await page(client, names=("till", "nobody"), pids=(int(pids[1]), 99999))
        assert [row.name or row.pid for row in found.rows] == ["till", int(pids[1])]


async def test_a_page_that_is_asked_for_again_has_only_what_has_changed(shop: Node) -> None:
    async with pool_of(20) as pids, shop.client() as client:
        query: dict[str, Any] = {"filter": "module:*test_process_queries kind:gen_server", "limit": 20}
        first = await page(client, **query)
        assert len(first.rows) == 20

        async def changed() -> set[int]:
            found = await page(client, **query, since=first.generation)
            return {row.pid for row in found.rows if row.messages > 1}

        await call(pids[7], Worker.add)
        assert await changed() == {pids[7]}
        again = await page(client, **query, since=first.generation)
        assert again.pids == first.pids


FOUND = {
    "name:till": {"till"},
    "till": {"till"},
    "name:t*": {"till"},
    "name:?ill": {"till"},
    "name:*p name:lam*": {"lamp"},
    "state:green": {"lamp"},
    "kind:supervisor app:shop": {"shop_sup"},
    "!kind:supervisor app:shop !module:shop_till !kind:application": {"lamp"},
    "mail>1": {"till"},
    "status:running": {"till"},
    "id:lamp vsn:*": {"lamp"},
    "restarts>=1": set(),
    "NAME:TILL": set(),
}
REFUSED = {
    "colour:red": "There is no field 'colour' to filter by; use pid, name",
    "mail>many": "mail is a number, but 'many' is not",
    "mail>nan": "mail is a number, but 'nan' is not",
    "busy<inf%": "busy is a number, but 'inf%' is not",
    "name>till": "can't be compared by >",
    "x" * 201: "limit 200",
    " ".join(["a"] * 17): "limit 16",
}


async def test_filters_find_processes_by_each_field(shop: Node) -> None:
    cast("till", imported("shop_till").Till.ponder)
    for coin in range(2):
        cast("till", imported("shop_till").Till.take, coin)
    async with shop.client() as client:
        pages = {text: await page(client, filter=text) for text in FOUND}
    assert {text: {row.name for row in found.rows if row.name} for text, found in pages.items()} == FOUND


async def test_a_wrong_filter_is_refused_by_a_sentence(shop: Node) -> None:
    async with shop.client() as client:
        for text, sentence in REFUSED.items():
            for asked in (page(client, filter=text), tree(client, filter=text)):
                with pytest.raises(Refused, match=sentence) as caught:
                    await asked
                assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("query", "times"),
    [
        (m.ProcessQuery(names=("nobody", "nobody else")), 3),
        (m.ProcessQuery(filter="!name:*????x !module:*?????????y"), 20),
        (m.ProcessQuery(pids=tuple(range(1, 1001)), filter="!module:*?????????y"), 20),
    ],
    ids=["unknown names", "a pattern", "many pids"],
)
async def test_a_query_yields_to_the_event_loop_while_it_searches(
    shop: Node, query: m.ProcessQuery, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool_of(200) as pids:
        for number, pid in enumerate(pids):
            register(f"worker {number}", pid)
        queries = process_queries.ProcessQueries(shop.runtime, shop.code, "boot")
        for _ in queries.processes(m.ProcessQuery()):
            pass  # so that the next query finds all processes read
        monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
        assert sum(1 for _ in queries.processes(query)) >= times


async def test_a_query_yields_while_it_searches_for_the_place_of_a_process(
    shop: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool_of(500) as pids:
        queries = process_queries.ProcessQueries(shop.runtime, shop.code, "boot")
        for number, pid in enumerate(pids[:250]):
            register(f"worker {number}", pid)
        last, unfolded = int(pids[-1]), m.TreeQuery(unfolded=True)
        filtered = m.TreeQuery(unfolded=True, filter="!name:zz")
        for _ in (*queries.processes(m.ProcessQuery(order="name")), *queries.tree(unfolded)):
            pass  # so that the next queries find all in order
        monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
        assert sum(1 for _ in queries.processes(m.ProcessQuery(order="name", follow=last))) >= 8
        assert sum(1 for _ in queries.tree(replace(unfolded, follow=last))) >= 8
        assert sum(1 for _ in queries.tree(filtered)) >= 110  # 103 if siblings were put in order at once


async def test_a_filter_does_not_see_what_redaction_hides(shop: Node) -> None:
    async with pool_of(3) as pids, shop.client("viewer") as client:
        assert (await page(client, filter="args:hunter2")).matched == 0
        found = await page(client, filter=f"pid:{int(pids[2])}", details=("arguments",))
        assert found.rows[0].arguments == "2, ‹redacted›"


async def test_a_label_is_shown_and_found_in_place_of_the_arguments(shop: Node) -> None:
    async with pool_of(3) as pids, shop.client("viewer") as client:
        shop.runtime.labels[int(pids[1])] = "/rooms/red?token=hunter2hunter2"
        found = await page(client, filter="args:/rooms/*", details=("arguments",))
        assert [(row.pid, row.arguments) for row in found.rows] == [(pids[1], "/rooms/red?token=‹redacted›")]


async def test_processes_are_sorted_by_what_they_do(shop: Node) -> None:
    async with pool_of(30) as pids, shop.client() as client:
        for _ in range(5):
            await call(pids[12], Worker.add)
        assert (await page(client, order="messages", filter="kind:gen_server module:*queries")).pids[0] == pids[12]
        backwards = await page(client, order="messages", filter="kind:gen_server module:*queries", reverse=True)
        assert backwards.pids[-1] == pids[12]
        cast("till", imported("shop_till").Till.ponder)
        for coin in range(3):
            cast("till", imported("shop_till").Till.take, coin)
        by_mail = await page(client, order="mail")
        assert (by_mail.rows[0].name, by_mail.rows[0].mailbox) == ("till", 3)
        by_name = await page(client, order="name", filter="name:?* app:shop")
        assert [row.name for row in by_name.rows if row.name] == ["lamp", "shop_sup", "till"]


async def test_processes_are_sorted_by_their_rate(shop: Node) -> None:
    async with pool_of(30) as pids, shop.client() as client:

        async def busiest() -> m.ProcessRow:
            for _ in range(40):
                await call(pids[12], Worker.add)
            await call(pids[3], Worker.add)
            return (await page(client, order="rate", filter="kind:gen_server module:*queries")).rows[0]

        async def first_place() -> bool | None:
            row = await busiest()
            return (row.pid == pids[12] and bool(row.rate)) or None

        await answered(first_place, "the busiest worker's first place")


async def test_a_task_that_waits_is_not_busy(shop: Node) -> None:
    task = spawn_task(asyncio.Event().wait)
    async with pool_of(1) as workers, shop.client() as client:

        async def share_of_the_worker() -> float | None:
            rows = {row.pid: row for row in (await page(client)).rows}
            assert rows[task].busy is None
            return rows[workers[0]].busy

        await answered(share_of_the_worker, "a second reading")
    exit(task, "kill")


async def test_started_and_ended_processes_are_seen_by_each_question(shop: Node) -> None:
    async with pool_of(5) as pids, shop.client() as client:
        questions: list[dict[str, Any]] = [
            {"filter": "module:*queries kind:gen_server"},
            {"filter": "module:*queries mail<1 kind:gen_server"},
            {"filter": "module:*queries kind:gen_server", "order": "name"},
        ]
        for question in questions:
            assert (await page(client, **question)).matched == 5
        exit(pids[1], "kill")
        added = await supervisor.start_child("pool", [99])

        async def agreement() -> bool | None:
            found = [await page(client, **question) for question in questions]
            return all(len(one.pids) == 6 and pids[1] not in one.pids and added in one.pids for one in found) or None

        await answered(agreement, "the same answer to all questions")


async def test_a_process_that_ends_is_freed_although_clients_have_asked_about_it(
    shop: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its instance would hold an old version of its code, and block the next upgrade."""
    for module in (membership, process_queries):
        monkeypatch.setattr(module, "KEPT_SECONDS", 0.05)
    async with pool_of(2) as pids, shop.client() as client:
        state = await sys.get_state(pids[0])
        state["held"] = held = threading.Event()
        freed = weakref.ref(held)
        del state, held
        await page(client, filter="module:*test_process_queries kind:gen_server", order="busy")
        await page(client, order="mail")
        await tree(client, filter="kind:gen_server")
        exit(pids[0], "kill")

        async def gone() -> bool | None:
            await tree(client)  # another question, as of a dashboard that stays open
            gc.collect()
            return True if freed() is None else None

        await answered(gone, "the end of the state")


async def test_the_tree_has_siblings_in_the_order_of_their_specifications(shop: Node) -> None:
    async with shop.client() as client:
        before = await tree(client)
        assert titles(before) == ["shop", "  shop_sup", "    till", "    lamp", "    guest"]
        first = next(line.pid for line in before.lines if line.path.endswith("/till"))
        exit(Pid(first or 0), "kill")

        async def restarted() -> bool | None:
            found = await tree(client)
            return (titles(found)[2] == "    till" and found.lines[2].pid not in (None, first)) or None

        await answered(restarted, "the restart of till")
        await supervisor.terminate_child("shop_sup", "till")
        stopped = await tree(client)
        assert titles(stopped)[2:4] == ["    till", "    lamp"]
        assert stopped.lines[2].child is not None
        assert stopped.lines[2].child.status == "undefined"


async def test_a_restarted_worker_keeps_its_place_in_an_open_pool(shop: Node) -> None:
    async with pool_of(60) as pids, shop.client() as client:
        folded = await tree(client)
        assert titles(folded)[-1] == "    +10"
        path = folded.lines[-1].path
        opened = await tree(client, open=(path,))
        assert opened.length == folded.length + 9
        place = [line.pid for line in opened.lines].index(int(pids[5]))
        exit(pids[5], "kill")

        async def restarted() -> bool | None:
            found = await tree(client, open=(path,))
            pid = found.lines[place].pid
            return (found.length == opened.length and pid is not None and pid > pids[-1]) or None

        await answered(restarted, "the worker's successor in its place")


async def test_closed_branches_and_pages_of_the_tree(shop: Node) -> None:
    async with pool_of(200) as pids, shop.client() as client:
        everything = await tree(client)
        pool = next(line for line in everything.lines if line.path.endswith("/pool"))
        assert pool.below == 200
        closed = await tree(client, closed=(pool.path, "shop/shop_sup"))
        assert [title.strip() for title in titles(closed)] == ["shop", "shop_sup", "not supervised", "pool"]
        found = await tree(client, open=(pool.path,), follow=int(pids[150]), lead=2, limit=5)
        assert [line.pid for line in found.lines] == [int(pid) for pid in pids[148:153]]
        assert [row.pid for row in found.rows] == [int(pid) for pid in pids[148:153]]
        again = await tree(client, open=(pool.path,), offset=found.offset, limit=5, since=found.generation)
        assert (len(again.lines), again.rows) == (5, ())


async def test_a_filtered_tree_keeps_the_ancestors(shop: Node) -> None:
    async with pool_of(200) as pids, shop.client() as client:
        found = await tree(client, filter=f"pid:{int(pids[170])}")
        assert [line.path.rpartition("/")[2] for line in found.lines] == ["not supervised", "pool", str(int(pids[170]))]
        assert [line.matched for line in found.lines] == [False, False, True]
        assert found.matched == 1
        assert (await tree(client, filter="name:nobody")).length == 0


async def test_a_summary_has_no_processes_and_counts_them(shop: Node) -> None:
    async with shop.client("viewer") as client:
        snapshot = await client.request(methods.SNAPSHOT)
        summary = await client.request(methods.SUMMARY)
    assert summary.vitals.processes == len(snapshot.processes)
    assert {one.name: one.processes for one in summary.modules} == {one.name: one.processes for one in snapshot.modules}
    assert summary.applications == snapshot.applications


async def test_queries_answer_while_the_loop_is_blocked(shop: Node) -> None:
    released = threading.Event()
    answers: dict[str, Any] = {}

    def outside() -> None:
        async def ask() -> None:
            async with shop.client("viewer") as client:
                asked.set()
                answers["started"] = started.wait(60)
                answers["page"] = await page(client, order="mail")
                answers["tree"] = await tree(client)
                answers["summary"] = await client.request(methods.SUMMARY)

        try:
            asyncio.run(ask())
        finally:
            released.set()

    asked, started = threading.Event(), threading.Event()
    operator = threading.Thread(target=outside)
    operator.start()
    await eventually(asked.is_set)
    cast("till", imported("shop_till").Till.take, 1)
    worker = await gen_server.start_link(Worker, 1)
    started.set()
    await call(worker, Worker.wait, released)
    operator.join(60)
    assert answers["page"].blocked is not None
    assert "Worker.wait" in answers["page"].blocked
    assert answers["page"].matched == answers["page"].total > 3
    assert [line.path for line in answers["tree"].lines][:2] == ["shop", "shop/shop_sup"]
    assert answers["summary"].blocked is not None


async def test_a_plan_drops_ended_processes_that_earlier_questions_have_kept(shop: Node) -> None:
    """A crashed process would keep the old version of its module, so that the correction would be refused."""
    async with pool_of(2) as pids, shop.client() as client:
        state = await sys.get_state(pids[0])
        state["held"] = held = threading.Event()
        freed = weakref.ref(held)
        del state, held
        await page(client, filter="module:*test_process_queries", order="busy")
        await tree(client, filter="kind:gen_server")
        exit(pids[0], "kill")

        async def gone() -> bool | None:
            with contextlib.suppress(Refused):
                await client.request(methods.PLAN, m.MakePlan(vsn="there is no such release"))
            gc.collect()
            return True if freed() is None else None

        await answered(gone, "the end of the state", within=5.0)
