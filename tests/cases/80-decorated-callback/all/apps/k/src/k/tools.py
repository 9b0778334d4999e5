import functools


def stamped(method):
    @functools.wraps(method)
    def call(self):
        return "@VSN@", method(self)

    return call
