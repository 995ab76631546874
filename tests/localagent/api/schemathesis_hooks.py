"""Rules for requests that no JSON Schema can express, and that the served document therefore lacks.

`required` and `propertyOrdering` name properties that are there; a lower bound is not above its upper one.
Requests that are meant to be wrong are left as they are.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_: Any, case: Any, kwargs: Any) -> None:  # noqa: ANN401 - as schemathesis hands them
    """Mend the body of a request that is meant to be accepted."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    mend(case.body.get("output_schema"))
    for item in case.body.get("runs", ()):
        # The document says so, in `dependentSchemas`, which schemathesis overlooks within arrays.
        if item.get("credential_item_ids"):
            item["use_vault"] = True


def mend(node: object) -> None:
    """Mend a schema and those within it."""
    if not isinstance(node, dict):
        return
    properties = node.get("properties", {})
    for keyword in {"required", "propertyOrdering"} & node.keys():
        node[keyword] = [name for name in node[keyword] if name in properties]
    for low, high in (("minItems", "maxItems"), ("minimum", "maximum")):
        if low in node and high in node:
            node[low], node[high] = sorted((node[low], node[high]))
    for child in (*properties.values(), *node.get("anyOf", ()), node.get("items")):
        mend(child)
