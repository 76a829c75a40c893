"""The claims of a popular article on tuning Go's collector: each with a study of real Go and the simulator."""
