"""Small release projects that are upgraded on a real node, and judged by what users see."""
