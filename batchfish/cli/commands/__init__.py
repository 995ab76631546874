"""The commands of `batchfish`, one a module."""
