import pickle

from k import job
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"jobs": {"next": [job.Job(3)]}}

    def probe(self):
        copied = pickle.loads(pickle.dumps(self.state["jobs"]["next"][0]))
        return copied.label()
