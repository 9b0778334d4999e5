def third():
    return "3."
