import threading

local = threading.local()


def count():
    local.count = getattr(local, "count", 0) + 1
    return "@VSN@", local.count
