"""Rules that hold everywhere: what is retried, how fast and how many at once, where redirects lead, what is never shown."""
