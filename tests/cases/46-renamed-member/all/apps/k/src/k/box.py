from k.status import Status
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"orders": {1: next(iter(Status))}}

    def probe(self):
        return self.state["orders"][1].name
