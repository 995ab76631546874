"""Runs: how they are queued, worked on, ended and stored."""
