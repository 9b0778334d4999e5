from k import labels
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"tag": labels.Tag("tea", labels.Kind.INFO)}

    def probe(self):
        tag = self.state["tag"]
        return "@VSN@", type(tag).__module__, isinstance(tag, labels.Tag) and tag.kind is labels.Kind.INFO
