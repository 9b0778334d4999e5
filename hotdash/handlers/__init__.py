"""The handlers of actions: one file for each kind of object on which actions act."""
