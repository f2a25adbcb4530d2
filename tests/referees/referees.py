"""Runs every referee on the program's output and counts; one that is not there is skipped by name."""

import sys
import traceback
from pathlib import Path

import pages
import slack
import texts

out, node = Path(sys.argv[1]), Path(sys.argv[2])
missing = set(sys.argv[3:])
CHECKS = [
    ("python", "slack_sdk: every message and dialog", lambda: slack.blocks(out)),
    ("python", "slack_sdk: signatures, and the 300 second edge", lambda: slack.signatures(out)),
    ("python", "slack_bolt: every request is routed", lambda: slack.bolt(out)),
    ("node", "@slack/types: every message and dialog", lambda: slack.types(out, node)),
    ("Slack's manifest schema", "jsonschema: app manifests", lambda: slack.manifests()),
    ("python", "prometheus_client: text format", lambda: texts.prometheus(out)),
    ("python", "prometheus_client: OpenMetrics", lambda: texts.openmetrics(out)),
    ("python", "cefevent: audit export", lambda: texts.cef(out)),
    ("python", "syslog-rfc5424-parser: audit export", lambda: texts.syslog(out)),
    ("python", "jsonschema: week", lambda: texts.week(out)),
    ("python", "jsonschema: cases", lambda: texts.cases(out)),
    ("chromium", "chromium: pages of the week and of cases", lambda: pages.look(out)),
]
counts = {"passed": 0, "failed": 0, "skipped": 0}
if not slack.MANIFEST_SCHEMA:
    missing.add("Slack's manifest schema")
if not pages.CHROMIUM:
    missing.add("chromium")
for needs, name, check in CHECKS:
    if needs in missing:
        how, why = "skipped", f"{needs} is not there"
    else:
        try:
            how, why = "passed", check()
        except Exception as failed:  # a referee may raise anything
            how, why = "failed", "".join(traceback.format_exception_only(failed)).strip()[:2000]
    counts[how] += 1
    print(f"{how:<8} {name}: {why}")
print(", ".join(f"{n} {how}" for how, n in counts.items()))
sys.exit(1 if counts["failed"] else 0)
