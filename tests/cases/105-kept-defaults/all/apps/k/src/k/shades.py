import enum

UNSET = object()


class Shade(enum.Enum):
    RED = "red"

    def version(self):
        return "@VSN@"
