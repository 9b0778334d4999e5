"""The commands of this project in tests, as processes that need not import their code again."""
