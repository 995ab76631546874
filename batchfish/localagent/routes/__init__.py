"""The routes of the Web Agent API, by what they do."""
