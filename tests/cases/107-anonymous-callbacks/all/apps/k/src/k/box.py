from collections import defaultdict

from node_runtime import GenServer, gen_server

if "@VSN@" == "a":
    scale = 1
else:
    scale = 10


async def start_link():
    return await gen_server.start_link(Box, name="box")


def multiplied(factor):
    def multiply(number):
        return factor * number * scale

    return multiply


def counter():
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    return step


class Box(GenServer[dict]):
    def init(self):
        by_square = [multiplied(number * number) for number in (1, 2, 3)]
        return {"rules": by_square, "seen": defaultdict(lambda: 0), "step": counter(), "show": lambda: "@VSN@"}

    def probe(self):
        state = self.state
        return state["show"](), [rule(1) for rule in state["rules"]], state["seen"]["x"], state["step"]()
