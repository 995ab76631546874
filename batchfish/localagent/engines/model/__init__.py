"""The engine that has a model read pages: somebody's own endpoint, with the limits of the other engines."""
