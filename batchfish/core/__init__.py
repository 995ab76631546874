"""What things mean and what follows from them: pure decisions, without clock, network, chance or disk."""
