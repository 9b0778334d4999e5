"""The troubles of the node that an operator has to look at now."""
