from k import sup
from node_runtime import Application, web
from node_runtime.application import get_env


class App(Application):
    async def start(self, start_type, args):
        top = await sup.start_link()
        await web.start_asgi("site", "k.site:app", port=get_env("k", "port"))
        return top

    async def stop(self):
        await web.stop_http("site")
