from k import point
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"names": {point.Point(1, 2): "home"}}

    def probe(self):
        return self.state["names"].get(point.Point(1, 2), "lost")
