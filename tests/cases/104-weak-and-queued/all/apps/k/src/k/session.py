import datetime

VSN = "@VSN@"


class Session:
    version = VSN

    def __init__(self, name):
        self.name = name


class Zone(datetime.tzinfo):
    version = VSN

    def utcoffset(self, moment):
        return datetime.timedelta(hours=1, minutes=30)

    def dst(self, moment):
        return None
