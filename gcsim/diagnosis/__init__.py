"""What is wrong with a Go service, from its GC log and other evidence: ranked causes, each with its signs."""
