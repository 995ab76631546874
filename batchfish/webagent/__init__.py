"""The client of the Web Agent API."""
