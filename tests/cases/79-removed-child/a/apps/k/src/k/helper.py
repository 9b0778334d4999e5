from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Helper, name="helper")


class Helper(GenServer[dict]):
    def init(self):
        return {}
