from k.status import Status
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"prices": {Status.OPEN: 7, Status.PAID: 8}}

    def probe(self):
        return self.state["prices"].get(Status.OPEN, "lost")
