from k import tables
from k.meta import metadata
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        assert metadata.tables["dishes"] is tables.dishes
        return [column.name for column in tables.dishes.columns]
