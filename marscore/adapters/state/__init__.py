"""The state of an output folder: its SQLite database, what runs write into it, and the folder's lock. Implements `ports.StateStore`."""
