from node_runtime import Supervisor, supervisor


class KSup(Supervisor):
    def children(self):
        return []


async def start_link():
    return await supervisor.start_link(KSup, name="k_sup")
