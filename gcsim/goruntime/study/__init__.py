"""Rules of the runtime that no engine uses, for comparison and study."""
