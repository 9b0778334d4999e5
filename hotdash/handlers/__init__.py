"""The handlers of actions, by what they act on."""
