"""Reading of manifests: a file becomes a stream of items, or a list of every error in it."""
