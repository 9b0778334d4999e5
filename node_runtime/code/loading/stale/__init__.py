"""Finds what modules outside a load, the OS process and the event loop would still use of replaced versions."""
