class _Shape:
    def show(self):
        return "@VSN@"


def __getattr__(name):
    if name == "Shape":
        return _Shape
    raise AttributeError(name)
