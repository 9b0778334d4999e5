from node_runtime import ChildSpec, Supervisor, supervisor


class Groves(Supervisor):
    strategy = "simple_one_for_one"
    intensity = 5
    period = 10.0

    def children(self):
        return [ChildSpec("grove", start="k.grove:start_grove", type="supervisor", restart="temporary")]


class Grove(Supervisor):
    strategy = "one_for_one"
    intensity = 50
    period = 1.0

    def children(self):
        return [ChildSpec("leaf", start="k.leaf:start_link", restart="permanent", shutdown=1.0)]


async def start_link():
    return await supervisor.start_link(Groves, name="groves")


async def start_grove():
    return await supervisor.start_link(Grove)
