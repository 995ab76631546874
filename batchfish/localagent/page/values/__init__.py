"""Typed values out of texts: numbers, money, dates, durations; nothing where a text holds none."""
