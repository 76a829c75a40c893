"""The event-by-event engine: one run, in which Ps, mark workers, assists, pauses and requests meet in time."""
