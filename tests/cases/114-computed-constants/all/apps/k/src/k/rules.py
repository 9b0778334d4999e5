from k import limits
from k.limits import LEAST

MOST = limits.LEAST * 2
TABLE = {"least": LEAST}


class Rule:
    label = limits.LABEL

    def check(self, number=LEAST):
        return number


def show():
    return MOST, TABLE["least"], Rule.label, Rule().check()
