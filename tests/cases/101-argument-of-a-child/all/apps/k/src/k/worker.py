from k import order
from node_runtime import GenServer, gen_server


async def start_link(first):
    return await gen_server.start_link(Worker, isinstance(first, order.Order), name="worker")


class Worker(GenServer[bool]):
    def init(self, is_order):
        return is_order

    def is_order(self):
        return self.state
