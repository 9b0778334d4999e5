import logging


class Redact(logging.Filter):
    def filter(self, record):
        record.msg = "@VSN@"
        return True
