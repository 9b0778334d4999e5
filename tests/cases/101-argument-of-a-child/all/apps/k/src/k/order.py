class Order:
    version = "@VSN@"

    def __init__(self, number):
        self.number = number
