"""`Catalog`, as an author imports it."""

from qmtl.core.flow.catalog import Catalog as Catalog
from qmtl.core.flow.catalog import Reading as Reading
from qmtl.core.flow.catalog import Stamp as Stamp
