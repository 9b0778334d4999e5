from k import source
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"numbers": source.numbers(), "letters": source.letters()}

    def probe(self):
        return next(self.state["numbers"])
