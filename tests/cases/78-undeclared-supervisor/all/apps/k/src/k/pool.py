from node_runtime import ChildSpec, Supervisor, supervisor


class Pool(Supervisor):
    strategy = "one_for_one"
    intensity = 5
    period = 10.0

    def children(self):
        return [
            ChildSpec("deep", start="k.deep:start_link", restart="permanent", shutdown=5.0),
        ]


async def start_link():
    return await supervisor.start_link(Pool, name="pool")
