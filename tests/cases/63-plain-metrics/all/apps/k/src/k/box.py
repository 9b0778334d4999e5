from prometheus_client import generate_latest

from k import metrics
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        metrics.CALLS.inc()
        lines = generate_latest().decode().splitlines()
        return [line for line in lines if line.startswith("k_") and "created" not in line]
