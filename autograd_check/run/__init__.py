"""Where a student's code runs: in this process, or in one of its own that can only send tensors back."""
