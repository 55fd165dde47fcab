"""What people see of a run, and the signals they send: standard streams, the log, the progress display."""
