"""Runs of marscore in a simulated world: one thread, one seed, the same story each time. README.md explains it."""
