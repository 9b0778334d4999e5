from k import shapes
from k.canvas import Canvas
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        canvas = Canvas()
        canvas.add("top", shapes.Circle(1))
        canvas.add("bottom", shapes.Circle(2))
        return {"canvas": canvas}

    def probe(self):
        layers = self.state["canvas"].layers
        return [type(one) is shapes.Circle for layer in layers.values() for one in layer]
