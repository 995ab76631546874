"""The durable record of batches, items, attempts and results."""
