"""Real servers, real processes, the command as a user runs it."""
