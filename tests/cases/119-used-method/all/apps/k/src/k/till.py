from k import rules


def show(amount):
    return rules.total(amount), rules.Price.text(rules.Price(), amount)
