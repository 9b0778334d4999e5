from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Leaf)


class Leaf(GenServer[dict]):
    def init(self):
        return {"vsn": "@VSN@"}

    @classmethod
    def code_change(cls, old, state, extra):
        return {**state, "vsn": "@VSN@"}
