"""The lifespans of ASGI applications. An upgrade starts the new lifespan beside the old one, and can go back to it."""
