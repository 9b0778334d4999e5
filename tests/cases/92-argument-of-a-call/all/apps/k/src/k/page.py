import traceback

from k import box, order
from node_runtime import call_within, cast
from node_runtime.web import PlainTextResponse


async def probe(request):
    try:
        cast("box", box.Box.work)
        seen = await call_within(30, "box", box.Box.take, order.Order(1))
    except BaseException:
        return PlainTextResponse(traceback.format_exc(), status_code=500)
    return PlainTextResponse(f"{seen!r}\n")
