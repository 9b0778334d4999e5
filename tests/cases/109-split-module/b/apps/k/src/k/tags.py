"""The texts of tags."""

def shown(tag):
    return tag.name
