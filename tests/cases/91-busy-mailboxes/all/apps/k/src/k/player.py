from node_runtime import GenServer, call, gen_server, self_pid, send_after


async def start_link(number):
    return await gen_server.start_link(Player, number, name=f"player{number}")


class Player(GenServer[dict]):
    def init(self, number):
        send_after(0.01, self_pid(), "play")
        return {"number": number, "vsn": "@VSN@"}

    @classmethod
    def code_change(cls, old, state, extra):
        return {**state, "vsn": "@VSN@"}

    async def handle_info(self, message):
        from k import box

        await call("box", box.Box.turn, self.state["vsn"])
        send_after(0.002, self_pid(), "play")
