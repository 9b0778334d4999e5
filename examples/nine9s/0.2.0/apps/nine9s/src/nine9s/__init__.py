"""A site that says hello. From version 0.2.0 on it counts its greetings."""
