from k.models import Item
from pydantic import TypeAdapter, validate_call

ITEMS = TypeAdapter(list[Item])


@validate_call
def take(item: Item):
    return item


def see():
    return [*ITEMS.validate_python([{}])[0].model_dump()], [*take({}).model_dump()]
