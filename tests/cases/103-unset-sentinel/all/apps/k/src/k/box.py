from k import limits
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"limit": limits.UNSET, "texts": [limits.NOTHING]}

    def probe(self):
        return limits.VSN, limits.limit(self.state["limit"]), limits.text(self.state["texts"][0])
