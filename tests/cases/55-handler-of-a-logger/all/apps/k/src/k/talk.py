import logging


class Tagged(logging.Filter):
    def filter(self, record):
        record.tag = "@VSN@"
        return True


logger = logging.getLogger("chat.room")
logger.propagate = False
handler = logging.FileHandler("@DATA@/chat.log")
handler.addFilter(Tagged())
handler.setFormatter(logging.Formatter("%(tag)s %(message)s"))
logger.addHandler(handler)


def note(text):
    logger.warning(text)
