"""Calls that are made later."""


def later(thing):
    return lambda: thing


def both(*steps):
    def run():
        return [step() for step in steps]

    return run
