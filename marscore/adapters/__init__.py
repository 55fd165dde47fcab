"""The only code that touches the network, the disk, SQLite, clocks, processes and the terminal: a folder for each, behind `ports`."""
