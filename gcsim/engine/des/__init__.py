"""The event engine: simulates one run with its Ps, mark workers, assists, pauses and requests."""
