"""Makes the JSON Schemas beside this file from the published definitions of the Kubernetes API and of three custom resources.

    make_schemas.py kubernetes _definitions.json > kubernetes-v1.34.json
    make_schemas.py resource CRD.yaml ...        > custom-resources.json
    make_schemas.py cyclonedx SCHEMA.json ...    > cyclonedx-1.6.json

`_definitions.json` is in the package kubernetes-validate 1.37.0 (Apache-2.0), folder v1.34.0-local, made from the API's OpenAPI document. The CRDs are
those of KEDA 2.18.0 and of the Prometheus operator 0.85.0 (both Apache-2.0), as their Go modules carry them. What is kept is the closure of
the kinds that deploy/ uses. Descriptions are left out, and objects that list their properties take no others, as the
API server's strict field validation does.

CycloneDX' schemas (Apache-2.0) are bom-1.6, spdx and jsf-0.82 of the npm package @cyclonedx/cyclonedx-library 10.3.0, without what is said to people.
"""

import json
import sys

KINDS = [
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
]
KEPT = {"type", "properties", "items", "enum", "required", "additionalProperties", "oneOf", "anyOf", "allOf", "not", "pattern",
        "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "$ref"}


def trimmed(node, strict=True):
    out = {key: node[key] for key in node if key in KEPT}
    # The API server takes null for absent; a manifest of ours has no business with it.
    if isinstance(out.get("type"), list):
        out["type"] = next(kind for kind in out["type"] if kind != "null")
    if node.get("x-kubernetes-int-or-string"):
        out = {"type": ["integer", "string"]}
    # An inline flag of Go's regular expressions, in the words of JavaScript's.
    if "(?i)" in out.get("pattern", ""):
        out["pattern"] = f"(?i:{out['pattern'].replace('(?i)', '')})"
    if "properties" in out:
        out["properties"] = {name: trimmed(inner, strict) for name, inner in out["properties"].items()}
        if strict and "additionalProperties" not in out and not node.get("x-kubernetes-preserve-unknown-fields"):
            out["additionalProperties"] = False
    for key in ("items", "not", "additionalProperties"):
        if isinstance(out.get(key), dict):
            # A condition on a value describes a part of it, so it can't be strict.
            out[key] = trimmed(out[key], strict and key != "not")
    for key in ("oneOf", "anyOf", "allOf"):
        if key in out:
            out[key] = [trimmed(inner, False) for inner in out[key]]
    return out


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/$defs/")
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def kubernetes(path):
    with open(path, encoding="utf-8") as file:
        definitions = json.load(file)["$defs"]
    kept, wanted = {}, list(KINDS)
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = trimmed(definitions[name])
            wanted.extend(references(kept[name]))
    kinds = {}
    for name in KINDS:
        properties = kept[name]["properties"]
        kept[name]["required"] = sorted({*kept[name].get("required", []), "apiVersion", "kind", "metadata"})
        kinds[f"{properties['apiVersion']['enum'][0]}/{properties['kind']['enum'][0]}"] = {"$ref": f"#/$defs/{name}"}
    return {"kinds": kinds, "$defs": dict(sorted(kept.items()))}


def resources(paths):
    import yaml

    kinds = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            spec = yaml.safe_load(file)["spec"]
        for version in spec["versions"]:
            schema = trimmed(version["schema"]["openAPIV3Schema"])
            # A CRD says of its metadata only that it is an object.
            schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
            kinds[f"{spec['group']}/{version['name']}/{spec['names']['kind']}"] = schema
    return {"kinds": dict(sorted(kinds.items())), "$defs": {}}


SAID = {"description", "title", "examples", "meta:enum", "$comment", "deprecated"}


def quiet(node):
    if isinstance(node, list):
        return [quiet(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: quiet(of) for name, of in inner.items()} if key in ("properties", "definitions") else quiet(inner)
        for key, inner in node.items()
        if key not in SAID
    }


def cyclonedx(paths):
    made = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            # The package refers to its own copies; the schemas' names are without that.
            made.append(quiet(json.loads(file.read().replace(".SNAPSHOT.", "."))))
    return made


MAKERS = {"kubernetes": lambda paths: kubernetes(paths[0]), "resource": resources, "cyclonedx": cyclonedx}
made = MAKERS[sys.argv[1]](sys.argv[2:])
print(json.dumps(made, separators=(",", ":")))
