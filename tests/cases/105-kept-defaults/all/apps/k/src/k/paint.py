from k.shades import UNSET, Shade

KNOWN = {Shade.RED: "warm"}


def is_red(shade=Shade.RED):
    return shade is Shade.RED


def is_unset(*, shade=UNSET):
    return shade is UNSET


class Pen:
    shade = Shade.RED

    def draws_red(self, shade=Shade.RED):
        return shade is Shade.RED


def see():
    return [is_red(), is_unset(), Pen.shade is Shade.RED, Pen().draws_red(), Shade.RED in KNOWN]
