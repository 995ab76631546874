"""How hard hypothesis tries: the same examples on every fast run, many new ones when all tests run."""

from __future__ import annotations

from hypothesis import settings

# No deadline: tests share the cores with others, and a slow example is not a wrong one.
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=500, print_blob=True)
settings.load_profile("fast")
