"""Handlers of the control methods about processes, old code and sources. Other handlers are in `method_handlers`."""
