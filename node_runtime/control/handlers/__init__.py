"""The handlers of some of the control methods."""
