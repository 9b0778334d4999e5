"""The verbs that open the dashboard, and the verb about the user's settings and keys."""
