"""The API's subset of JSON Schema: checking a schema, and checking a value against one."""

from batchfish.core.schema.subset import FORMATS, TYPES, check_schema
from batchfish.core.schema.violations import find_violations

__all__ = ["FORMATS", "TYPES", "check_schema", "find_violations"]
