"""Reading Python values for people without running their code: states, log lines, fingerprints."""
