from node_runtime import GenServer, gen_server

NAME = "crate"


async def start_link():
    return await gen_server.start_link(Box, name=NAME)


class Box(GenServer[dict]):
    def init(self):
        return {"n": 0}

    def probe(self):
        self.state["n"] += 1
        return "@VSN@", self.state["n"]
