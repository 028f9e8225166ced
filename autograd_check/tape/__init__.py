"""What autograd asks of a callable beside one backward: several cotangents or none, forward mode, dtypes."""
