class Order:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


def label(order):
    return f"@VSN@ {order.number}"
