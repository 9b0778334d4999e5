import logging.config

logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": True,
    "formatters": {"plain": {"format": "@VSN@ %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "@DATA@/app.log", "formatter": "plain"}},
    "loggers": {"app": {"handlers": ["file"], "propagate": False}},
})


def note(text):
    logging.getLogger("app").warning(text)
