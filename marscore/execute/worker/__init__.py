"""One process: the loop that owns connections, transfers and timers, and the helpers beside it."""
