from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"text": "caf\udce9 \ud800"}

    def probe(self):
        return "@VSN@", 1
