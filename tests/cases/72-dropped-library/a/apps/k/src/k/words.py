import humanize


def third():
    return humanize.ordinal(3)
