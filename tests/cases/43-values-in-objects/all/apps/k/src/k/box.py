from functools import partial

from k import seat
from k.room import Room
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"room": Room([seat.Seat(1)]), "book": partial(sorted, [seat.Seat(2).number])}

    def probe(self):
        return [one.number for one in self.state["room"].seats["front"]], self.state["book"]()
