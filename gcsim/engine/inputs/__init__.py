"""What both engines are given: parameters drawn from a model, random numbers and bounds."""
