from node_runtime import ChildSpec, Supervisor, supervisor


class KSup(Supervisor):
    strategy = "one_for_one"
    intensity = 5
    period = 10.0

    def children(self):
        return [
            ChildSpec("box", start="k.box:start_link", restart="permanent", shutdown=5.0),
            ChildSpec("helper", start="k.helper:start_link", restart="permanent", shutdown=5.0),
        ]


async def start_link():
    return await supervisor.start_link(KSup, name="k_sup")
