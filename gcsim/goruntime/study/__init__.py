"""What the runtime does, or did, that no engine runs: kept for comparison and for learning."""
