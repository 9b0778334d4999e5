from k import items
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        return {"cart": items.Cart(items={"shelf": [items.Item(sku=" x ")]})}

    def probe(self):
        cart = self.state["cart"]
        kept = [one for shelf in cart.items.values() for one in shelf]
        good = items.Cart.model_validate(cart) is cart and all(isinstance(one, items.Item) for one in kept)
        return good, [getattr(one, "pieces", 1) for one in kept]
