from node_runtime import ChildSpec, Supervisor, supervisor


class KSup(Supervisor):
    strategy, intensity, period = "one_for_one", 5, 10.0

    def children(self):
        return [ChildSpec("box", start="k.box:start_link", args=("@VSN@",), restart="permanent", shutdown=5.0)]


async def start_link():
    return await supervisor.start_link(KSup, name="k_sup")
