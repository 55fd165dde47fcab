"""The version, in the one place from which the package metadata and the User-Agent take it."""

__version__ = "0.1.0"
