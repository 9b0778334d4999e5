"""The limits of clients: their numbers, sizes and times, rules for requests, long reads in small pieces, and a log."""
