from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"by": None}

    def probe(self):
        return self.state["by"]

    def walked(self, by):
        self.state["by"] = by
