"""`Catalog`, as an author imports it."""

from qmtl.core.flow.catalog import Catalog, Reading, Stamp

__all__ = ["Catalog", "Reading", "Stamp"]
