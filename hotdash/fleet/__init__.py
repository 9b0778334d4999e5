"""The nodes that can be opened, their list, and the dashboard on several of them."""
