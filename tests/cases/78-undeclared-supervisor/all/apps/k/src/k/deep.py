from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Deep, name="deep")


class Deep(GenServer[dict]):
    def init(self):
        return {"n": 0}

    @classmethod
    def code_change(cls, old, state, extra):
        return {**state, "vsn": "@VSN@"}

    def probe(self):
        self.state["n"] += 1
        return self.state.get("vsn", "a"), self.state["n"]
