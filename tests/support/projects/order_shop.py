"""The shop of docs/migrating-state.md: a server whose state changes in each version."""

from __future__ import annotations

import sys
from pathlib import Path

FILES = {
    "release.toml": 'name = "shop"\nvsn = "{vsn}"\napps = ["shop"]\n',
    "config/node.toml": 'name = "shop@127.0.0.1"\n',
    "config/sys.toml": "",
    "apps/shop/app.toml": """
name = "shop"
vsn = "{vsn}"
mod = "shop.app:ShopApp"
registered = ["shop_sup", "orders"]
""",
    "apps/shop/src/shop/__init__.py": "",
    "apps/shop/src/shop/app.py": """
from node_runtime import Application, supervisor
from shop.sup import ShopSup


class ShopApp(Application):
    async def start(self, start_type, args):
        return await supervisor.start_link(ShopSup, name="shop_sup")
""",
    "apps/shop/src/shop/sup.py": """
from node_runtime import ChildSpec, Supervisor


class ShopSup(Supervisor):
    strategy, intensity, period = "one_for_one", 1, 60.0

    def children(self):
        return [ChildSpec("orders", start="shop.orders:start_link")]
""",
}

APPUP = """
[[up]]
from = "{older}"
instructions = [ { update = "shop.orders", change = "advanced" } ]

[[down]]
to = "{older}"
instructions = [ { update = "shop.orders", change = "advanced" } ]
"""

ORDERS = """
from dataclasses import dataclass
from enum import Enum

from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Orders, name="orders")


class Status(Enum):
    OPEN = "open"
    PAID = "paid"


@dataclass
class Order:
    item: str
    status: Status
    note: str = ""


@dataclass
class State:
    orders: dict[int, Order]


class Orders(GenServer[State]):
    def init(self):
        return State({7: Order("tea", Status.PAID, "no sugar")})
"""

CODE_CHANGE = """
    @classmethod
    def code_change(cls, old_vsn, state, extra):
        orders = {}
        for number, order in state.orders.items():
            if isinstance(old_vsn, Down):
                note = "; ".join(order.comments)
                orders[number] = old_vsn.target.Order(order.item, order.status, note, order.pieces)
            else:
                comments = [order.note] if order.note else []
                orders[number] = Order(order.item, order.status, comments, order.pieces)
        return old_vsn.target.State(orders) if isinstance(old_vsn, Down) else State(orders)
"""

MEMBER = ('    PAID = "paid"\n', '    PAID = "paid"\n    SENT = "sent"\n')
PIECES = ('    note: str = ""\n', '    note: str = ""\n    pieces: int = 1\n')
COMMENTS = ('    note: str = ""\n', "    comments: list[str]\n")
FIRST = ('"no sugar")', '["no sugar"])')
DEFAULT = ("comments: list[str]", "comments: list[str] = field(default_factory=list)")
FIELD = ("import dataclass\n", "import dataclass, field\n")
DOWN = ("import GenServer", "import Down, GenServer")

CHANGES = {
    "1.0": (),
    "1.1": (MEMBER, PIECES),
    "1.2": (MEMBER, PIECES, COMMENTS, FIRST),
    "1.3": (MEMBER, PIECES, COMMENTS, FIRST, DEFAULT, FIELD),
    "1.4": (MEMBER, PIECES, COMMENTS, FIRST, DEFAULT, FIELD, DOWN),
}
"""What each version replaces in the text of 1.0."""


def orders(vsn: str) -> str:
    """The text of shop/orders.py in this version."""
    text = ORDERS
    for before, after in CHANGES[vsn]:
        assert before in text, f"{vsn}: {before}"
        text = text.replace(before, after)
    return text + (CODE_CHANGE if vsn == "1.4" else "")


def write_shop(prefix: str) -> None:
    """Write each version of the project into a folder of its own: PREFIX-1.0, PREFIX-1.1 and so on."""
    for vsn in CHANGES:
        files = {**FILES, "apps/shop/src/shop/orders.py": orders(vsn)}
        if vsn != "1.0":
            appup = APPUP.replace("{older}", "1.0" if vsn == "1.1" else "1.1")
            files["apps/shop/appup.toml"] = f'vsn = "{vsn}"\n{appup}'
        for path, text in files.items():
            file = Path(f"{prefix}-{vsn}") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{vsn}", vsn).lstrip(), encoding="utf-8")


if __name__ == "__main__":
    write_shop(sys.argv[1])
