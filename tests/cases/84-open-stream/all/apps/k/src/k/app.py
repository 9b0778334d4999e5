from k import sup
from node_runtime import Application


class App(Application):
    async def start(self, start_type, args):
        return await sup.start_link()
