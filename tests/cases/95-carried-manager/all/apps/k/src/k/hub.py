__carry__ = ["manager"]


class Manager:
    def __init__(self):
        self.members = []

    def join(self):
        self.members.append("@VSN@")
        return "@VSN@", len(self.members)

    def kick(self):
        return "kick @VSN@"


if "manager" not in globals():
    manager = Manager()
