"""Run many URLs through a web agent, and never pay twice for one of them."""
