"""The routes of the Web Agent API: what they accept, what they answer, who may ask."""
