"""Real Go software as the yardstick of predictions: programs, load, data, runs and the study."""
