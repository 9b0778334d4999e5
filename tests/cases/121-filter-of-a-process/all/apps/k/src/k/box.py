import logging

from k import redact
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        logging.getLogger("k.secrets").addFilter(redact.Redact())
        return {}

    def probe(self):
        record = logging.LogRecord("k.secrets", logging.INFO, "box", 1, "secret", (), None)
        logging.getLogger("k.secrets").filter(record)
        return record.msg
