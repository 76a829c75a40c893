"""The two engines, which simulate a model under the rules of Go's runtime."""
