"""Cloud Storage."""

from . import buckets, objects

__all__ = ["buckets", "objects"]
