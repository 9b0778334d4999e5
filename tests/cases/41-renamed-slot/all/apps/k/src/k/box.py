from k import order
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"orders": (order.Order(1), order.Order(2))}

    def probe(self):
        return [order.label(one) for one in self.state["orders"]]
