"""Whatever comes in from outside, read by the pure core: it gives a value or its own error, never another exception."""
