import asyncio
from dataclasses import dataclass

from k import feed
from node_runtime import GenServer, gen_server

VSN = "@VSN@"
TASKS = []


async def start_link():
    return await gen_server.start_link(Box, name="box")


@dataclass
class State:
    jobs: list
    vsn: str = VSN


class Box(GenServer[State]):
    def init(self):
        jobs = []
        TASKS.append(asyncio.create_task(feed.feed(jobs), name="feed"))
        return State(jobs)

    def probe(self):
        return VSN, len(self.state.jobs)

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        made = old_vsn.target.State if hasattr(old_vsn, "target") else State
        return made(list(state.jobs))
