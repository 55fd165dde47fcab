"""The only code that touches requests, files, SQLite, clocks and structlog: each module implements one port."""
