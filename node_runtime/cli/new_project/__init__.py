"""`node-runtime new`: writes a project that runs, and can be tested, as it is."""
