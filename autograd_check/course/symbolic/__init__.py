"""Runs torch code on real tensors while mirroring every operation on arrays of other numbers, such as sympy expressions."""
