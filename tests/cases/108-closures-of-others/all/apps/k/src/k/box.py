from k.later import both, later
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Point:
    def shown(self):
        return "@VSN@"


class Box(GenServer[dict]):
    def init(self):
        point = Point()
        return {"point": point, "later": later(point), "both": both(point.shown, lambda: later(point)().shown())}

    def probe(self):
        state = self.state
        return state["later"]() is state["point"], state["later"]().shown(), state["both"]()
