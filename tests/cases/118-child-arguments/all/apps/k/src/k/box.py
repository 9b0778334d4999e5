from node_runtime import GenServer, gen_server


async def start_link(label):
    return await gen_server.start_link(Box, label, name="box")


class Box(GenServer[dict]):
    def init(self, label):
        return {"label": label}

    def probe(self):
        return self.state["label"]
