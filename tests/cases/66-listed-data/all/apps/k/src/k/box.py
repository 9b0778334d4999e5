import importlib.resources
import pkgutil
from pathlib import Path

import k
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {}

    def probe(self):
        words = importlib.resources.files("k") / "words"
        with importlib.resources.as_file(words / "list.txt") as file:
            text = file.read_text().strip()
        return {
            "resources": text,
            "path": (Path(next(iter(k.__path__))) / "words" / "list.txt").read_text().strip(),
            "pkgutil": pkgutil.get_data("k", "words/list.txt").decode().strip(),
            "listed": len(list(words.iterdir())),
        }
