"""Answers to queries about processes: sorted and filtered pages, and pages of the tree. Unchanged rows are omitted."""
