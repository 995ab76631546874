"""An agent that reads no pages and fails as often as it is told to."""
