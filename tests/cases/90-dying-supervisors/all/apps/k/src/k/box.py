from node_runtime import self_pid, send_after, supervisor
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        send_after(0.01, self_pid(), "more")
        return {"n": 0, "errors": []}

    def probe(self):
        return "box", self.state["n"], self.state["errors"][-2:]

    async def handle_info(self, message):
        try:
            started = await supervisor.start_child("groves", [])
            self.state["n"] += 1
            self.state.setdefault("live", []).append(started)
            if len(self.state["live"]) > 5:
                await supervisor.terminate_child("groves", self.state["live"].pop(0))
        except BaseException as error:
            self.state["errors"].append(repr(error)[:200])
        send_after(0.01, self_pid(), "more")
