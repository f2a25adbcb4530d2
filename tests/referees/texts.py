"""What other people's parsers say of the metrics, the audit exports and the published schemas."""

import json


def prometheus(out):
    from prometheus_client.parser import text_string_to_metric_families

    families = list(text_string_to_metric_families((out / "metrics.txt").read_text()))
    samples = sum(len(f.samples) for f in families)
    assert families and samples, "there is none"
    return f"{len(families)} families, {samples} samples"


def openmetrics(out):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    families = list(text_string_to_metric_families((out / "metrics.openmetrics").read_text()))
    names = {f.name for f in families}
    assert {"soc_alerts_ingested", "soc_backlog_alerts", "soc_build"} <= names, sorted(names)
    return f"{len(families)} families"


def cef(out):
    from cefevent import CEFEvent

    lines = (out / "audit.cef").read_text().splitlines()
    assert lines, "there is none"
    # `outcome` stands in the CEF dictionary and not in the referee's.
    for line in lines:
        event = CEFEvent(strict=True)
        head, keys = parsed(line)
        for name, value in head.items():
            event.set_prefix(name, value)
        for name, value in keys.items():
            if name != "outcome":
                event.set_field(name, value)
        built = parsed(event.build_cef())
        same = {name: str(value) for name, value in built[0].items()}
        assert same == {name: value.strip() for name, value in head.items()}, (same, head)
    return f"{len(lines)} events"


def parsed(line):
    """Header and extension of a CEF line, by hand: the referee builds and checks fields and reads none."""
    text = line[line.index("CEF:") :]
    head, at, cell = [], 0, ""
    while len(head) < 7:
        if text[at] == "\\":
            cell, at = cell + text[at + 1], at + 2
        elif text[at] == "|":
            head, cell, at = head + [cell], "", at + 1
        else:
            cell, at = cell + text[at], at + 1
    keys, key, value = {}, None, ""
    for word in text[at:].split(" "):
        name, equals, rest = word.partition("=")
        if equals and name.isalnum():
            if key:
                keys[key] = value
            key, value = name, rest
        else:
            value += " " + word
    keys[key] = value
    plain = lambda v: v.replace("\\=", "=").replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
    names = ("version", "deviceVendor", "deviceProduct", "deviceVersion", "signatureId", "name", "severity")
    head[0] = head[0].removeprefix("CEF:")
    return dict(zip(names, head)), {k: plain(v) for k, v in keys.items()}


def syslog(out):
    from syslog_rfc5424_parser import SyslogMessage

    lines = (out / "audit.syslog").read_text().splitlines()
    assert lines, "there is none"
    for line in lines:
        message = SyslogMessage.parse(line)
        assert message.appname == "nightdesk", message.appname
    return f"{len(lines)} messages"


def valid(schema, documents):
    from jsonschema.validators import validator_for

    schema = json.loads(schema.read_text())
    judge = validator_for(schema)
    judge.check_schema(schema)
    for document in documents:
        judge(schema).validate(json.loads(document.read_text()))
    return f"{len(documents)} documents"


def week(out):
    documents = list((out / "week").rglob("metrics.json"))
    assert documents, "there is none"
    return valid(out / "metrics.schema.json", documents)


def cases(out):
    return valid(out / "case.schema.json", sorted(out.glob("ND-*.json")))
