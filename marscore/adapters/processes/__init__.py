"""Worker processes: how a run starts them, what both say to each other, and what a worker is made of."""
