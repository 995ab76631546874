"""The fan-out benchmark: batchfish and what people use instead, in turn, on the same runs."""
