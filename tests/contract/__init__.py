"""One suite for each port, run against the real adapter and against its fake."""
