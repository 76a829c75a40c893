"""The program event by event: allocation, goroutines, requests."""
