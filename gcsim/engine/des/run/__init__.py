"""One run event by event: its parts, its length and its records."""
