"""What has to be installed for what marscore can do beyond its dependencies.

Messages name the packages themselves, and not `marscore[EXTRA]`: that may not be where this marscore came from, since the package index has
another project of the name. A test holds the list to pyproject.toml.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Extra: TypeAlias = Literal["curl", "zstd", "socks", "otel", "stores", "lists", "dask", "ray"]

PACKAGES: dict[Extra, tuple[str, ...]] = {
    "curl": ("pycurl",),
    "zstd": ("zstandard",),
    "socks": ("PySocks",),
    "stores": ("obstore",),
    "lists": ("pyarrow",),
    "otel": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "dask": ("distributed",),
    "ray": ("ray",),
}


def installing(extra: Extra) -> str:
    """The command that installs what an extra brings."""
    return f"pip install {' '.join(PACKAGES[extra])}"
