from k import order, worker
from node_runtime import ChildSpec, GenServer, call, gen_server, supervisor


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"started": False}

    async def probe(self):
        if not self.state["started"]:
            self.state["started"] = True
            await supervisor.start_child(
                "k_sup", ChildSpec("worker", start="k.worker:start_link", args=(order.Order(1),), shutdown=5.0)
            )
        return order.Order.version, await call("worker", worker.Worker.is_order)
