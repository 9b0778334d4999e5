from collections import deque

from k import kinds
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        first = kinds.Job(1)
        return {
            "jobs": deque([first, kinds.Job(2)], maxlen=9),
            "rights": {kinds.Status.OPEN: [kinds.Right.READ | kinds.Right.WRITE]},
            "names": {kinds.Point(1, 2): "home"},
            "first": first,
        }

    def probe(self):
        jobs, rights = self.state["jobs"], self.state["rights"].get(kinds.Status.OPEN)
        return (
            [job.number for job in jobs],
            [getattr(job, "priority", "none") for job in jobs],
            rights == [kinds.Right.READ | kinds.Right.WRITE],
            self.state["names"].get(kinds.Point(1, 2), "lost"),
            self.state["first"] is jobs[0] and isinstance(jobs[0], kinds.Job),
        )
