"""New after @FIRST@."""

NAMES = {"one": 1}
FIRST_NAME = NAMES["one"]
