from k import orders
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"orders": [orders.Order("tea"), orders.Order("milk")]}

    def probe(self):
        self.state["orders"].append(orders.Order("bread"))
        numbers = [order.number for order in self.state["orders"]]
        return orders.VSN, numbers, [orders.dice.randrange(1000) for _ in range(3)]
