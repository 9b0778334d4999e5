"""The routes of a listener, and the processes of their requests."""
