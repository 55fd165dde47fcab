"""Adapters in memory, for tests: each implements a port and passes the suite of the real one."""
