"""Finds objects of replaced versions that other modules, the OS process and the event loop would still use."""
