import weakref

from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Door:
    version = "@VSN@"

    def __init__(self):
        self.states = ["open"]
        weakref.finalize(self, self.states.append, "closed")


class Box(GenServer[Door]):
    def init(self):
        return Door()

    def probe(self):
        return self.state.states[-1]
