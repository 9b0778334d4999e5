"""The full screens and the dialogs."""
