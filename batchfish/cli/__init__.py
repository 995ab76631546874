"""The command line of batchfish; only this package reads options and the environment."""
