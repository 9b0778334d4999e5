from functools import partial


def greet(name, word="@VSN@"):
    return "@VSN@"


class Greeter:
    def greet(self, name):
        return "@VSN@"


def table():
    return {"plain": greet, "partial": partial(greet, word="x"), "bound": Greeter().greet,
            "lambda": lambda name: greet(name)}
