"""The engine in which a model reads pages: the user's own endpoint, under the limits of all engines."""
