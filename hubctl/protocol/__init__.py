"""Bytes to events and back, for links that the compiled floor does not speak; nothing here opens anything."""
