import sys
from typing import get_args

from k import polls, store
from node_runtime.web import PlainTextResponse


def classes_in(annotation):
    yield annotation
    for part in get_args(annotation):
        yield from classes_in(part) if not isinstance(part, list) else (one for each in part for one in classes_in(each))


async def add(request):
    store.add(polls.of("the first"))
    return await titles(request)


async def titles(request):
    return PlainTextResponse(repr([one.title for one in (*store.POLLS.values(), *store.BOARD.others)]))


async def old(request):
    found = []
    for where, hints in enumerate([vars(sys.modules["k.store"])["__annotations__"], *store.hints()]):
        for name, annotation in hints.items():
            for part in classes_in(annotation):
                if getattr(part, "__qualname__", "") == "Poll" and part is not polls.Poll:
                    found.append((where, name))
    return PlainTextResponse(repr(found))
