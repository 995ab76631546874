"""The local agent: a server on this machine with the Web Agent API, which really reads pages."""
