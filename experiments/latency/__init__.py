"""What requests of a real Go service feel, and what the event engine says they will: docs/explanation/latency.md."""
