"""The lifespans of ASGI applications: started beside the old one, switched and put back with an upgrade."""
