from node_runtime import GenServer, gen_server, self_pid, send_after


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        self.tick_later()
        return {"ticks": 0}

    def tick_later(self):
        send_after(0.1, self_pid(), "tick")

    def handle_info(self, message):
        self.state["ticks"] += 1
        self.tick_later()

    def probe(self):
        return "@VSN@", self.state["ticks"]
