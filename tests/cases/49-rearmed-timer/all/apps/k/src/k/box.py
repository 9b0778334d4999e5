import asyncio

from node_runtime import cast
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


def tick():
    cast("box", Box.rung, "@VSN@")
    asyncio.get_running_loop().call_later(0.2, tick)


class Box(GenServer[dict]):
    def init(self):
        tick()
        return {"by": None}

    def probe(self):
        return "@VSN@", self.state["by"]

    def rung(self, by):
        self.state["by"] = by
