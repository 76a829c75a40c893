"""The program of the event engine: allocation, goroutines and requests."""
