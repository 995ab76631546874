"""The decisions of batchfish as pure functions, without clock, network, chance or disk."""
