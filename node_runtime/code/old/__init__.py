"""Old versions: the processes that run them, the references that hold them, and their purge."""
