"""The rules of the Go runtime's collector by Go version, as pure functions of numbers or arrays."""
