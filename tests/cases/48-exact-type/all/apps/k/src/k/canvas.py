class Canvas:
    def __init__(self):
        self.layers = {}

    def add(self, layer, shape):
        self.layers.setdefault(layer, []).append(shape)
