"""Python values as text and data, read without running code of their classes: states, log lines, fingerprints."""
