VSN = "@VSN@"
UNSET = object()


class Missing:
    def __init__(self, name):
        self.name = name


NOTHING = Missing("nothing")


def limit(value):
    return 4096 if value is UNSET else value * 4


def text(value):
    return "nothing" if value is NOTHING else repr(value)
