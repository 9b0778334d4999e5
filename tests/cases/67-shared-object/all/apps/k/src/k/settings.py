class Store:
    def __init__(self):
        self.calls = 0


store = Store()


def vsn():
    return "@VSN@"
