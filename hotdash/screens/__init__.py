"""Views, dialogs, and the screens that hold them."""
