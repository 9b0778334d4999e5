"""Signs that something is going wrong in the node: restarts, growing mailboxes, a blocked event loop."""
