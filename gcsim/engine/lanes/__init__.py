"""The fast engine: many runs side by side, one GC cycle a step."""
