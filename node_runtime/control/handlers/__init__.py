"""Handlers of control methods: about processes, old code and sources of modules. `method_handlers` has the others."""
