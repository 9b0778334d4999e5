"""The lifespans of ASGI applications. An upgrade starts the new lifespan beside the old one, and can return to that."""
