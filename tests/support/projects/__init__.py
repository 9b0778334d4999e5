"""Projects, applications and releases of which tests make nodes."""
