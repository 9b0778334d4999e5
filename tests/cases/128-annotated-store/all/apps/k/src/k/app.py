from k import sup
from node_runtime import Application, web
from node_runtime.application import get_env
from node_runtime.web import Route


class App(Application):
    async def start(self, start_type, args):
        top = await sup.start_link()
        routes = [Route(f"/{name}", f"k.page:{name}") for name in ("add", "titles", "old")]
        await web.start_http("http", port=get_env("k", "port"), routes=tuple(routes))
        return top

    async def stop(self):
        await web.stop_http("http")
