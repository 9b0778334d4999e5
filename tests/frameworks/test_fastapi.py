"""An application of FastAPI in several modules behind a listener: its own code is upgraded hot, FastAPI stays."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from node_runtime import application, web
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

MODELS = """
from pydantic import BaseModel

class Item(BaseModel):
    name: str
"""
STORE = """
ITEMS = []
__carry__ = ["ITEMS"]
"""
ROUTER = """
from fastapi import APIRouter
from .models import Item
from .store import ITEMS

VSN = "1"
router = APIRouter(prefix="/items")

@router.get("/")
def listed() -> list[Item]:
    return ITEMS

@router.post("/")
async def add(item: Item) -> dict[str, str]:
    ITEMS.append(item)
    return {"vsn": VSN}
"""
MAIN = """
from fastapi import FastAPI
from . import items

app = FastAPI()
app.include_router(items.router)
"""
RICH_MAIN = """
import os

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from . import items

async def page_of_errors(request, error):
    return JSONResponse({"error": str(error)}, status_code=404)

app = FastAPI(exception_handlers={404: page_of_errors})
app.add_middleware(CORSMiddleware, allow_origins=["*"])
app.include_router(items.router)
pages = os.path.dirname(__file__)
app.mount("/static", StaticFiles(directory=pages), name="static")
greeting = Jinja2Templates(directory=pages).env.from_string("{% macro greet() %}hello{% endmacro %}")

@app.get("/greeting")
def greet() -> str:
    return greeting.module.greet()

reports = FastAPI()

@reports.get("/")
def report() -> str:
    return "report"

app.mount("/reports", reports)
"""
PROJECT = {"shop.models": MODELS, "shop.store": STORE, "shop.items": ROUTER, "shop.main": MAIN}


def write(small: SmallNode, vsn: str, changed: dict[str, str], *loaded: str, before: str = "") -> None:
    steps = ", ".join(f'{{ load_module = "{module}" }}' for module in loaded)
    ways = f'[[up]]\nfrom = "{before}"\ninstructions = [{steps}]\n[[down]]\nto = "{before}"\ninstructions = [{steps}]\n'
    small.write(vsn, PROJECT | changed, ways if before else "")


@pytest.fixture
def main() -> str:
    return MAIN


@pytest.fixture
async def shop(small: SmallNode, main: str) -> AsyncIterator[SmallNode]:
    write(small, "1", {"shop.main": main})
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "shop.main:app", port=0)
    yield small
    await application.stop("web")


@pytest.fixture
def client(shop: SmallNode) -> Iterator[Client]:
    one = Client(web.port("site"), {"content-type": "application/json"})
    yield one
    one.close()


async def added(client: Client) -> Any:
    status, body = await client.get("/items/", "POST", '{"name": "tea"}')
    assert status == 200, body
    return json.loads(body)


async def test_the_code_of_the_application_is_upgraded_twice_and_goes_back(shop: SmallNode, client: Client) -> None:
    assert await added(client) == {"vsn": "1"}
    second = ROUTER.replace('"1"', '"2"')
    third = second.replace('return {"vsn": VSN}', 'return {"vsn": VSN, "price": str(item.price)}')
    models = MODELS + "    price: int = 3\n"
    write(shop, "2", {"shop.items": second}, "shop.items", "shop.main", before="1")
    write(shop, "3", {"shop.items": third, "shop.models": models}, "shop.models", "shop.items", "shop.main", before="2")
    shop.new_handler("1")
    plan = await shop.handler.plan("2")
    assert (plan.blockers, plan.lost) == ((), ())
    assert (await shop.install("2")).outcome == "installed"
    assert await added(client) == {"vsn": "2"}
    done = await shop.install("3")
    assert done.outcome == "installed", done.error
    assert await added(client) == {"vsn": "2", "price": "3"}
    status, body = await client.get("/items/")
    assert (status, [item["price"] for item in json.loads(body)]) == (200, [3, 3, 3])
    assert (await shop.install("2")).outcome == "installed"
    assert await added(client) == {"vsn": "2"}


async def test_an_application_that_would_still_serve_a_replaced_router_is_named(
    shop: SmallNode, client: Client
) -> None:
    assert await added(client) == {"vsn": "1"}
    write(shop, "2", {"shop.items": ROUTER.replace('"1"', '"2"')}, "shop.items", before="1")
    shop.new_handler("1")
    plan = await shop.handler.plan("2")
    [blocker] = plan.blockers
    assert "the application shop.main:app of the listener site would answer with replaced code" in blocker.reason
    assert "shop.items.add" in blocker.reason
    assert blocker.remedy == "let the appup load shop.main too, after the other modules"
    assert plan.warnings == (
        "shop.main keeps the replaced version of shop.items in app, and uses it until shop.main is loaded again: "
        "let the appup load shop.main too.",
    )


@pytest.mark.parametrize("main", [RICH_MAIN])
async def test_what_an_application_makes_for_its_requests_is_no_lost_data(shop: SmallNode, client: Client) -> None:
    second = {"shop.main": RICH_MAIN, "shop.items": ROUTER.replace('"1"', '"2"')}
    write(shop, "2", second, "shop.items", "shop.main", before="1")
    shop.new_handler("1")
    for path, status in (
        ("/items/", 200),
        ("/static/main.py", 200),
        ("/greeting", 200),
        ("/reports/", 200),
        ("/openapi.json", 200),
        ("/reports/openapi.json", 200),
        ("/no", 404),
    ):
        assert (await client.get(path))[0] == status, path
    assert (await shop.handler.plan("2")).lost == ()
    module: Any = importlib.import_module("shop.main")
    module.reports.state.clients = {"ann"}
    lost = (await shop.handler.plan("2")).lost
    assert [one.partition(" ")[0] for one in lost] == ["shop.main.app", "shop.main.reports"]
