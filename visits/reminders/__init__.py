"""Reminders of visits and sessions, by the rules of the protocol (decisions C17, D13)."""
