"""Manifests to start from, and the demonstration that `make demo` runs."""
