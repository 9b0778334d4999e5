import signal
import sys

from k import hooks
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        sys.excepthook = hooks.report
        signal.signal(signal.SIGUSR2, hooks.wake)
        return {}

    def probe(self):
        return sys.excepthook.__globals__["VSN"], signal.getsignal(signal.SIGUSR2).__globals__["VSN"]
