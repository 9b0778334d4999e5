import functools


class Show:
    @functools.singledispatchmethod
    def on(self, thing):
        return "anything @VSN@"

    @on.register
    def on_number(self, thing: int):
        return "number @VSN@"
