"""The stages that drive items through a batch."""
