"""Memory outside the heap: prior, evidence and posterior."""
