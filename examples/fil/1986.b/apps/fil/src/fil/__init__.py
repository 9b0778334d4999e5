"""Fire is looming: a page whose header shows the state of a process, to be upgraded while people look at it."""
