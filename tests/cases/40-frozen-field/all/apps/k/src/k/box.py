from collections import deque

from k import job
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"jobs": deque([job.Job(1), job.Job(2)], maxlen=9)}

    def probe(self):
        return [(one.number, getattr(one, "priority", "no priority")) for one in self.state["jobs"]]
