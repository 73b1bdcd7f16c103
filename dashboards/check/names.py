"""Checks dashboards, rules and runbooks against the metrics of a node and docs/operations.md.

- Every queried metric is in docs/metrics.md, or recorded by a rule.
- Every label is compared only with values that it may have.
- Every alert has a severity, a section in docs/operations.md, and a test that it fires and one
  that it is silent.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
MIXIN = ROOT / "dashboards" / "mixin"
RUNBOOK = "docs/operations.md#"
SEVERITIES = {"critical", "warning", "info"}
# Added by Prometheus itself.
OWN = {"up"}
NAME = re.compile(r"\b(?:tapecast_\w+|process_\w+|up|\w+:\w+:\w+)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$")


@dataclass
class Exported:
    """The metrics in docs/metrics.md, which a test of crates/metrics checks against the code."""

    families: set[str] = field(default_factory=set)
    # Possible values by family and label; there is no list of Kafka's names.
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)


def exported() -> Exported:
    found = Exported()
    part = ""
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        if line.startswith("## "):
            part = line[3:]
        row = ROW.match(line)
        if not row:
            continue
        if part == "Families":
            family = row[1]
            found.families.add(family)
            if row[2].startswith("histogram"):
                found.families |= {f"{family}_{end}" for end in ("bucket", "sum", "count")}
        elif part == "Labels":
            values, families = row[2].split(" | ")
            for family in re.findall(r"`([^`]+)`", families):
                for name in (family, f"{family}_bucket"):
                    found.values[name, row[1]] = set(re.findall(r"`([^`]+)`", values))
    return found


def dashboards() -> Iterator[tuple[str, str]]:
    """Each query of each panel and variable, with its position."""
    for path in sorted((ROOT / "dashboards" / "json").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}, {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}, ${variable['name']}", variable["query"]


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load((MIXIN / name).read_text()) for name in ("recording.yaml", "alerts.yaml")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def wrong_names(queries: list[tuple[str, str]], known: Exported, recorded: set[str]) -> list[str]:
    wrong = []
    for place, query in queries:
        # Labels after `by` or `on`, and quoted strings, are not metrics.
        bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", query)
        for match in NAME.finditer(bare):
            name = match[0].split("{")[0]
            if name not in known.families | recorded | OWN:
                wrong.append(f"{place}: unknown metric {name}")
            for label, operator, text in MATCHER.findall(match[1] or ""):
                may_be = known.values.get((name, label))
                if may_be is None:
                    continue
                values = text.split("|") if "~" in operator else [text]
                for value in set(values) - may_be:
                    wrong.append(f"{place}: {label} of {name} is never {value}")
    return wrong


def wrong_alerts(alerts: list[dict[str, Any]]) -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    # As GitHub makes anchors: lower case, no punctuation, hyphens for spaces.
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    fires: set[str] = set()
    silent: set[str] = set()
    for path in sorted((MIXIN / "tests").glob("*.yaml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case["exp_alerts"] else silent).add(case["alertname"])
    wrong = []
    for rule in alerts:
        name = rule["alert"]
        link = rule.get("annotations", {}).get("runbook_url", "")
        if not link.startswith(RUNBOOK) or link.removeprefix(RUNBOOK) not in anchors:
            wrong.append(f"{name}: {link or 'no runbook_url'} is not a section of docs/operations.md")
        if rule.get("labels", {}).get("severity") not in SEVERITIES:
            wrong.append(f"{name}: the severity must be one of {', '.join(sorted(SEVERITIES))}")
        if name not in fires:
            wrong.append(f"{name}: no test checks that it fires")
        if name not in silent:
            wrong.append(f"{name}: no test checks that it stays silent")
    return wrong


def main() -> int:
    every = rules()
    alerts = [rule for rule in every if "alert" in rule]
    recorded = {rule["record"] for rule in every if "record" in rule}
    queries = list(dashboards())
    queries += [(rule.get("alert") or rule["record"], rule["expr"]) for rule in every]
    wrong = wrong_names(queries, exported(), recorded) + wrong_alerts(alerts)
    for mistake in wrong:
        print(mistake)
    print(f"{len(queries)} queries, {len(alerts)} alerts, {len(wrong)} errors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
