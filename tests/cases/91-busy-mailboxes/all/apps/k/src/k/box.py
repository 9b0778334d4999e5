from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"turns": 0, "vsn": None, "asked": 0}

    def probe(self):
        return {"turns": self.state["turns"], "lost": self.state["asked"] - self.state["turns"], "vsn": self.state["vsn"]}

    @classmethod
    def code_change(cls, old, state, extra):
        return dict(state)

    def turn(self, vsn):
        self.state["asked"] += 1
        self.state["turns"] += 1
        self.state["vsn"] = vsn
        return self.state["turns"]


RELEASE = "@VSN@"
