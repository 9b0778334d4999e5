class Order:
    def __init__(self, number):
        self.number = number


def label(order):
    return "@VSN@", isinstance(order, Order)
