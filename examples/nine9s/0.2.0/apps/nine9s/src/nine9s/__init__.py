"""A site that says hello, to be taught counting while it answers."""
