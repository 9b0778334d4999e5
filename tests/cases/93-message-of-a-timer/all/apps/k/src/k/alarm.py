class Alarm:
    pass


RELEASE = "@VSN@"
