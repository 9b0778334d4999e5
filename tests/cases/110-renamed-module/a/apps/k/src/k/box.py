from k import tags
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"tag": tags.Tag("tea", tags.Kind.INFO)}

    def probe(self):
        tag = self.state["tag"]
        return "@VSN@", type(tag).__module__, isinstance(tag, tags.Tag) and tag.kind is tags.Kind.INFO
