"""Check JSON files against a JSON Schema, as far as our schemas use it.

usage: schema.py SCHEMA.json FILE.json...
Knows: type, const, enum, required, properties, items, $ref (into the same file), pattern, minLength, minimum, title, description.
Anything else in the schema is an error, so that nothing is taken for checked that is not. Keys that the schema does not name are
errors too: what we print is documented. Where the module jsonschema is installed, it has to agree.
"""

import json
import re
import sys

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
KNOWN = {"$schema", "title", "description", "type", "const", "enum", "required", "properties", "items", "$ref", "pattern",
         "minLength", "minimum", "definitions"}


def check(root, schema, value, where):
    """Yields a line for each fault."""
    if set(schema) - KNOWN:
        yield "%s: the schema uses %s" % (where, sorted(set(schema) - KNOWN))
    if "$ref" in schema:
        target = root
        for key in schema["$ref"][2:].split("/"):
            target = target[key]
        yield from check(root, target, value, where)
        return
    kind = TYPES.get(schema.get("type"))
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        yield "%s: no %s: %r" % (where, schema["type"], value)
        return
    if "const" in schema and value != schema["const"]:
        yield "%s: %r is not %r" % (where, value, schema["const"])
    if "enum" in schema and value not in schema["enum"]:
        yield "%s: %r is none of %r" % (where, value, schema["enum"])
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield "%s: %r does not match %s" % (where, value, schema["pattern"])
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield "%s: too short" % where
    if "minimum" in schema and value < schema["minimum"]:
        yield "%s: %r is too small" % (where, value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key in schema.get("required", []):
            if key not in value:
                yield "%s: %s is missing" % (where, key)
        for key, v in value.items():
            if key in known:
                yield from check(root, known[key], v, where + "." + key)
            elif known:
                yield "%s: key %r is not in the schema" % (where, key)
    if isinstance(value, list) and "items" in schema:
        for i, v in enumerate(value):
            yield from check(root, schema["items"], v, "%s[%d]" % (where, i))


def main(argv):
    with open(argv[1]) as f:
        schema = json.load(f)
    faults = []
    for path in argv[2:]:
        with open(path) as f:
            value = json.load(f)
        faults += check(schema, schema, value, path)
        try:
            import jsonschema
        except ImportError:
            continue
        faults += ["%s: %s" % (path, e.message) for e in jsonschema.Draft7Validator(schema).iter_errors(value)]
    for line in faults:
        print(line)
    return 1 if faults else 0


sys.exit(main(sys.argv))
