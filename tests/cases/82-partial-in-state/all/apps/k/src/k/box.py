from k import handlers
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"handlers": handlers.table()}

    def probe(self):
        return [handler("you") for handler in self.state["handlers"].values()]
