from dataclasses import dataclass
from sqlite3 import Connection

from k import jobs
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


@dataclass
class State:
    database: Connection
    jobs: dict[str, jobs.Job]


class Box(GenServer[State]):
    def init(self):
        database = jobs.connect()
        if not jobs.read(database):
            jobs.write(database, jobs.Job("tea"))
        return State(database, jobs.read(database))

    def probe(self):
        job = self.state.jobs["tea"]
        job.runs += 1
        jobs.write(self.state.database, job)
        stored = jobs.read(self.state.database)["tea"]
        return "@VSN@", stored.runs, getattr(stored, "owner", None)
