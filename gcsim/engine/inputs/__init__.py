"""The inputs of both engines: parameters drawn from a model, random numbers and bounds."""
