class Order:
    __slots__ = ("code",)

    def __init__(self, code):
        self.code = code


def label(order):
    return f"@VSN@ {order.code}"
