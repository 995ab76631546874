"""The connections that the local agent makes: which are allowed, how fast, and the sample site."""
