"""The settings that a log was written at."""
