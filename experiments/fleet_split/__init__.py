"""Three real services in one memory budget: GC CPU at three divisions of it, predicted and observed."""
