from k import tag_types
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"tag": tag_types.Tag("tea", tag_types.Kind.INFO)}

    def probe(self):
        tag = self.state["tag"]
        return "@VSN@", type(tag).__module__, isinstance(tag, tag_types.Tag) and tag.kind is tag_types.Kind.INFO
