from k import alarm
from node_runtime import self_pid, send_after
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        send_after(12.0, self_pid(), alarm.Alarm())
        return {"heard": "waiting"}

    def probe(self):
        return self.state["heard"]

    def handle_info(self, message):
        self.state["heard"] = "known" if isinstance(message, alarm.Alarm) else "unknown"
