import attrs
from node_runtime import GenServer, gen_server


@attrs.frozen
class Cart:
    items: list[str] = attrs.field(factory=list, validator=attrs.validators.instance_of(list))
    note: str = attrs.field(default="none", converter=str)


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[Cart]):
    def init(self):
        return Cart(["tea"])

    def probe(self):
        return "@VSN@", self.state.items, self.state.note
