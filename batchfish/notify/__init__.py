"""Sends notifications: to a webhook, to a command, or through apprise."""
