__carry__ = ["hub"]


class Hub:
    def __init__(self):
        self.calls = 0

    def hello(self):
        self.calls += 1
        return "@VSN@", self.calls


hub = Hub()
