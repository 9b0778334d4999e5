import functools

from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Parser:
    version = "@VSN@"

    @functools.lru_cache  # noqa: B019
    def parse(self, text):
        return int(text)


def handle():
    handle.calls += 1
    return handle.calls


handle.calls = 0


def make_counter():
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    return step


step = make_counter()


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        Parser().parse("1")
        return Parser.parse.cache_info().currsize, handle(), step()
