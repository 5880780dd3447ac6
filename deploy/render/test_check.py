"""check.py finds what is wrong: each fault is put into a file that is right."""

import copy
import unittest

from ruamel.yaml import YAML

import check

SCHEMA = {
    "properties": {"server": {"type": "object", "properties": {"drain_seconds": {"type": "integer"}}}},
    "x-environment": [
        {"name": "DATABASE_URL", "reader": "backend", "secret": True},
        {"name": "LOG_LEVEL", "reader": "all", "secret": False},
        {"name": "PORT", "reader": "tier", "secret": False},
        {"name": "OTEL_*", "reader": "backend"},
        *({"name": name, "reader": "backend"} for name in check.LEFT_OUT),
    ],
}
RIGHT = """
services:
  - type: web
    name: backend
    region: frankfurt
    maxShutdownDelaySeconds: 60
    envVars:
      - { key: LOG_LEVEL, value: info }
      - { key: DATABASE_URL, fromDatabase: { name: db, property: connectionString } }
      - { key: OTEL_EXPORTER, sync: false }
      - { key: GOBLIN_SERVER__DRAIN_SECONDS, value: "30" }
      - { key: LOG_LEVEL_2, fromService: { type: keyvalue, name: cache, property: host } }
  - { type: keyvalue, name: cache, region: frankfurt }
databases:
  - { name: db, region: frankfurt }
"""


class Check(unittest.TestCase):
    def setUp(self) -> None:
        self.render = YAML(typ="safe").load(RIGHT)
        self.schema = copy.deepcopy(SCHEMA)
        self.schema["x-environment"].append({"name": "LOG_LEVEL_2", "reader": "backend"})
        self.variables = self.render["services"][0]["envVars"]

    def assert_found(self, *parts: str) -> None:
        found = check.faults(self.render, self.schema)
        self.assertTrue(any(all(part in fault for part in parts) for fault in found), found)

    def test_a_file_that_is_right_has_no_fault(self) -> None:
        self.assertEqual(check.faults(self.render, self.schema), [])

    def test_a_variable_that_goblin_reads_and_the_file_does_not_set(self) -> None:
        self.schema["x-environment"].append({"name": "NEW_ONE", "reader": "backend"})
        self.assert_found("NEW_ONE is missing")

    def test_a_variable_that_the_file_sets_and_goblin_does_not_know(self) -> None:
        self.variables.append({"key": "LOG_LEVLE", "value": "info"})
        self.assert_found("LOG_LEVLE", "knows no such variable")

    def test_a_reason_for_a_variable_that_is_gone(self) -> None:
        self.schema["x-environment"] = [v for v in self.schema["x-environment"] if v["name"] != "HF_TOKEN"]
        self.assert_found("HF_TOKEN", "LEFT_OUT")

    def test_a_setting_that_is_not_there(self) -> None:
        self.variables.append({"key": "GOBLIN_SERVER__DRAIN", "value": "1"})
        self.assert_found("GOBLIN_SERVER__DRAIN", "no setting server.drain")

    def test_a_secret_in_the_file(self) -> None:
        self.variables[1] = {"key": "DATABASE_URL", "value": "postgres://u:p@h/d"}
        self.assert_found("DATABASE_URL is a secret")

    def test_names_that_lead_nowhere(self) -> None:
        self.variables[1]["fromDatabase"]["name"] = "other"
        self.variables[4]["fromService"]["name"] = "other"
        self.assert_found("no database other")
        self.assert_found("no keyvalue other")

    def test_a_pool_that_is_not_there_and_a_name_given_twice(self) -> None:
        self.variables[1]["fromDatabase"]["property"] = "connectionPoolString"
        self.variables.append(dict(self.variables[0]))
        self.render["databases"].append({"name": "cache", "region": "frankfurt"})
        self.assert_found("connectionPool")
        self.assert_found("LOG_LEVEL is set twice")
        self.assert_found("cache is given twice")

    def test_regions_apart_and_a_stop_that_is_too_short(self) -> None:
        self.render["databases"][0]["region"] = "oregon"
        self.render["services"][0]["maxShutdownDelaySeconds"] = 30
        self.assert_found("not everything is in one region")
        self.assert_found("maxShutdownDelaySeconds")


if __name__ == "__main__":
    unittest.main()
