"""One run of the event engine: its parameters, parts, length and records."""
