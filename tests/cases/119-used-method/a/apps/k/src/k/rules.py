class Price:
    def text(self, amount):
        return f"{amount} EUR"


def total(amount):
    return amount
