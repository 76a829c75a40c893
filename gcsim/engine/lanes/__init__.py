"""The lane engine: simulates many runs together, one GC cycle per step."""
