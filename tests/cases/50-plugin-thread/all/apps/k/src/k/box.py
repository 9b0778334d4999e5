import threading
import time
from pathlib import Path
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


def work():
    while True:
        Path("@DATA@/by.new").write_text("@VSN@")
        Path("@DATA@/by.new").rename("@DATA@/by")
        time.sleep(0.1)


class Box(GenServer[dict]):
    def init(self):
        threading.Thread(target=work, name="writer", daemon=True).start()
        return {}

    def probe(self):
        return "@VSN@"
