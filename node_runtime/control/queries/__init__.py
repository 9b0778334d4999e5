"""Answers to questions about processes: sorted and filtered pages, pages of the tree, and what has changed in them."""
