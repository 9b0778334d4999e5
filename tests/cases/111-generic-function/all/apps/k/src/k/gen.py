import functools


@functools.singledispatch
def show(thing):
    return "anything"
