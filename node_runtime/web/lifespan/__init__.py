"""The lifespans of ASGI applications. An upgrade starts a new lifespan beside the old one, to which it can return."""
