import logging

from node_runtime import self_pid, send_after
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        send_after(0.4, self_pid(), "fall")
        return {}

    def probe(self):
        return "@VSN@"

    def handle_info(self, message):
        if "@VSN@" == "b":
            logging.disable(logging.CRITICAL)
            raise RuntimeError("b can't do this")
        send_after(0.4, self_pid(), "fall")
