#!/usr/bin/env python3
"""Holds render.yaml against what goblin reads: check.py [--goblin PROGRAM | --variables FILE] [RENDER_YAML]

What its form must be, schema.json says; this asks what a schema cannot: do the names lead somewhere, is every variable
of the backend in the file, and is every variable of the file one that goblin knows? Prints every fault with its place;
exit code 1 when there is one. Needs ruamel.yaml (scripts/deploy_tools.sh brings it).
"""

import argparse
import json
import pathlib
import subprocess
import sys

from ruamel.yaml import YAML

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Variables of the backend that are not set on Render, and why. One that goblin does not know any more is a fault.
LEFT_OUT = {
    "HOST": "`serve` listens on 0.0.0.0 when RENDER is set",
    "PORT": "Render sets it",
    "OLLAMA_HOST": "no model server runs on Render; the tier is reached by LOCAL_LLM_PROXY_URL",
    "LLAMACPP_URL": "likewise",
    "OLLAMA_MODELS": "no Ollama runs on Render",
    "HF_ENDPOINT": "models are fetched on the model tier",
    "HF_TOKEN": "models are fetched on the model tier",
    "GOBLIN_BACKUP_PASSPHRASE": "backups are made where the file can stay; Render backs its database up itself",
    "OPENAI_BASE_URL": "the vendor's own address is the default",
    "ANTHROPIC_BASE_URL": "the vendor's own address is the default",
    "DEEPSEEK_BASE_URL": "the vendor's own address is the default",
    "GEMINI_BASE_URL": "the vendor's own address is the default",
    "GROK_BASE_URL": "the vendor's own address is the default",
    "OTEL_SDK_DISABLED": "nothing is told until an address or a key is set",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "only where traces and metrics go to different places",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "likewise",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "likewise",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "likewise",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "protobuf is the default, and every collector takes it",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "likewise",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "likewise",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "only for a collector with a certificate of its own making",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "the default fits",
    "OTEL_SERVICE_NAME": "goblin-backend is the default",
    "OTEL_RESOURCE_ATTRIBUTES": "whoever has several sets their names",
    "OTEL_METRIC_EXPORT_INTERVAL": "the default fits",
    "OTEL_BSP_SCHEDULE_DELAY": "the default fits",
    "OTEL_BSP_MAX_QUEUE_SIZE": "the default fits",
    "SUPABASE_JWT_SECRET": "only for projects with the legacy shared secret",
}


def variables_of(schema: dict) -> list[dict]:
    """The list in `goblin config schema`."""
    return schema["x-environment"]


def settings_of(schema: dict, path: str = "") -> set[str]:
    """`section.name` of every setting."""
    found = set()
    for name, inner in schema.get("properties", {}).items():
        whole = f"{path}.{name}" if path else name
        found |= settings_of(inner, whole) if inner.get("type") == "object" else {whole}
    return found


def faults(render: dict, schema: dict) -> list[str]:
    """Everything that is wrong, in sentences."""
    found: list[str] = []
    services = {(s["type"], s["name"]) for s in render.get("services", [])}
    databases = {d["name"]: d for d in render.get("databases", [])}
    names = [name for _, name in services] + list(databases)
    found += [f"the name {n} is given twice" for n in sorted({n for n in names if names.count(n) > 1})]
    regions = {s.get("region") for s in render.get("services", [])} | {d.get("region") for d in databases.values()}
    if len(regions) > 1:
        found.append(f"not everything is in one region, so it has no private network: {sorted(map(str, regions))}")
    for service in render.get("services", []):
        if service["type"] == "web":
            found += web_faults(service, services, databases, schema)
    return found


def web_faults(service: dict, services: set, databases: dict, schema: dict) -> list[str]:
    found: list[str] = []
    given = [v["key"] for v in service.get("envVars", [])]
    found += [f"{n} is set twice" for n in sorted({n for n in given if given.count(n) > 1})]
    known = {v["name"]: v for v in variables_of(schema)}
    families = [n.rstrip("*") for n in known if n.endswith("*")]
    settings = settings_of(schema)
    for variable in service.get("envVars", []):
        key = variable["key"]
        source = variable.get("fromDatabase")
        if source and source["name"] not in databases:
            found.append(f"{key}: there is no database {source['name']}")
        if source and source["property"] == "connectionPoolString" and not databases.get(source["name"], {}).get("connectionPool"):
            found.append(f"{key}: {source['name']} has no connectionPool")
        source = variable.get("fromService")
        if source and (source["type"], source["name"]) not in services:
            found.append(f"{key}: there is no {source['type']} {source['name']}")
        if key.startswith("GOBLIN_") and "__" in key:
            setting = key.removeprefix("GOBLIN_").lower().replace("__", ".")
            if setting not in settings:
                found.append(f"{key}: goblin has no setting {setting}")
        elif key not in known and not any(key.startswith(family) for family in families):
            found.append(f"{key}: goblin knows no such variable")
        if known.get(key, {}).get("secret") and "value" in variable:
            found.append(f"{key} is a secret and stands in the file")
    for name, variable in known.items():
        if variable["reader"] == "tier" or name.endswith("*"):
            continue
        if name not in given and name not in LEFT_OUT:
            found.append(f"{name} is missing: set it, or say in LEFT_OUT of {pathlib.Path(__file__).name} why not")
        if name in given and name in LEFT_OUT:
            found.append(f"{name} is set and stands in LEFT_OUT")
    found += [f"{name} stands in LEFT_OUT, and goblin knows no such variable" for name in LEFT_OUT if name not in known]
    drain = next((int(v["value"]) for v in service.get("envVars", []) if v["key"] == "GOBLIN_SERVER__DRAIN_SECONDS"), 30)
    if service.get("maxShutdownDelaySeconds", 30) <= drain:
        found.append(f"maxShutdownDelaySeconds must be longer than the {drain} s for which answers are let finish")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", nargs="?", default=ROOT / "render.yaml", type=pathlib.Path)
    parser.add_argument("--goblin", default=ROOT / "target/debug/goblin")
    parser.add_argument("--variables", type=pathlib.Path, help="what `goblin config schema` printed")
    asked = parser.parse_args()
    if asked.variables:
        text = asked.variables.read_text(encoding="utf-8")
    else:
        command = [asked.goblin, "config", "schema"]
        text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    render = YAML(typ="safe").load(asked.file)
    found = faults(render, json.loads(text))
    for fault in found:
        print(f"{asked.file.name}: {fault}", file=sys.stderr)
    if not found:
        print(f"  {asked.file.name} sets what goblin reads, and nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
