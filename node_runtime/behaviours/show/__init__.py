"""Python values as text and data, read without running their code: states, log lines, fingerprints."""
