"""The lifespans of ASGI applications. An upgrade starts a new lifespan, and can return to the old one."""
