"""Readers of Go's profiles: pprof's protobuf form, and goroutine profiles as text."""
