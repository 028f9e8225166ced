"""The mathematics: knows tensors, knows no lesson."""
