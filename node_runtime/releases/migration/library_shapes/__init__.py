"""The shapes of objects of Python and its standard library."""
