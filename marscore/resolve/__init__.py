"""The second stage: Manifest -> Downloads, and Downloads + the output folder -> what has to be done."""

from marscore.resolve.expand import expand, load, load_mapping
from marscore.resolve.secrets import secrets_of
from marscore.resolve.select import select

__all__ = ["expand", "load", "load_mapping", "secrets_of", "select"]
