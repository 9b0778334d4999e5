from k.right import Right
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"rights": Right.READ | Right.WRITE}

    def probe(self):
        held = self.state["rights"]
        return isinstance(held, Right) and Right.READ in held, held.value
