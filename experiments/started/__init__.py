"""The live heap of a program with more started tasks than Ps, by GOGC."""
