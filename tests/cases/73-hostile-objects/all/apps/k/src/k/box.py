from k import odd
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {
            "unprintable": odd.Unprintable(), "array": odd.Array(), "mock": odd.Mock(), "liar": odd.Liar(),
            "endless": odd.Endless(), "gone": odd.Gone(), "tattler": odd.Tattler(a=1), "type": odd.Gone,
        }

    def probe(self):
        return "@VSN@", len(self.state)

    @classmethod
    def code_change(cls, old, state, extra):
        return dict(state)
