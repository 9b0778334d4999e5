import importlib
import signal
import warnings

from k import settings as settings
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        filters = [one for one in warnings.filters if one[1] is not None and "k has" in one[1].pattern]
        return signal.getsignal(signal.SIGUSR2)(0, None), len(filters), importlib.import_module("k_alias").VSN
