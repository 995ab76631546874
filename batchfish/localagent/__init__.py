"""The local agent: the Web Agent API spoken back on this machine, by a server that really reads pages."""
