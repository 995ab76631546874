"""The client of the Web Agent API: items become runs, runs become events."""
