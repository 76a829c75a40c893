"""What the Go runtime's collector does, as pure rules by Go version: numbers or arrays in, the same out."""
