"""What Slack's own libraries say of our messages, dialogs, requests and signatures."""

import json
import os
import subprocess
from pathlib import Path

# It stands in a repository and in no package registry: name a copy to have it asked.
MANIFEST_SCHEMA = os.environ.get("NIGHTDESK_SLACK_MANIFEST_SCHEMA")


def lines(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows, f"{path.name} is empty"
    return rows


def parts(block):
    """A parsed block and everything in it that can be checked by itself."""
    yield block
    for name in ("elements", "fields", "accessory", "element", "text", "confirm"):
        inner = getattr(block, name, None)
        for one in inner if isinstance(inner, (list, tuple)) else [inner]:
            if hasattr(one, "validate_json"):
                yield from parts(one)


def blocks(out):
    from slack_sdk.models.blocks import Block

    count = 0
    rows = [row["blocks"] for row in lines(out / "slack/messages.jsonl")]
    rows += [row["blocks"] for row in lines(out / "slack/views.jsonl")]
    for row in rows:
        parsed = Block.parse_all(row)
        assert len(parsed) == len(row) and all(parsed), f"a block is not known: {row}"
        for block in parsed:
            for part in parts(block):
                part.validate_json()
                count += 1
    return f"{len(rows)} messages and dialogs, {count} parts"


class At:
    """A clock that stands."""

    def __init__(self, now):
        self.stands = now

    def now(self):
        return self.stands


def signatures(out):
    from slack_sdk.signature import SignatureVerifier

    rows = lines(out / "slack/requests.jsonl")
    for row in rows:
        headers = dict(map(tuple, row["headers"]))
        named = {name.lower(): value for name, value in headers.items()}
        sent = int(named["x-slack-request-timestamp"])
        for off, good in ((0, True), (300, True), (301, False), (-300, True), (-301, False)):
            verifier = SignatureVerifier(row["secret"], clock=At(sent + off))
            said = verifier.is_valid_request(row["body"], headers)
            assert said is good, f"{off} seconds off: {said}"
        assert not SignatureVerifier("another", clock=At(sent)).is_valid_request(row["body"], headers)
    return f"{len(rows)} requests"


def bolt(out):
    import slack_sdk.signature
    from slack_bolt import App, BoltRequest
    from slack_bolt.authorization import AuthorizeResult

    rows = lines(out / "slack/requests.jsonl")
    sent = {dict((n.lower(), v) for n, v in row["headers"])["x-slack-request-timestamp"] for row in rows}
    slack_sdk.signature.Clock.now = lambda self: float(min(sent))
    app = App(
        signing_secret=rows[0]["secret"],
        token_verification_enabled=False,
        authorize=lambda **_: AuthorizeResult(
            enterprise_id=None, team_id="T", bot_token="xoxb-x", bot_id="B", bot_user_id="U"
        ),
    )
    routed = []
    for action in ("nightdesk_approve", "nightdesk_deny", "nightdesk_takeover"):
        app.action(action)(lambda ack, body: (routed.append(body["type"]), ack()))
    for dialog in ("nightdesk_reason", "nightdesk_feedback"):
        app.view(dialog)(lambda ack, body: (routed.append(body["type"]), ack()))
    for row in rows:
        headers = {name: [value] for name, value in row["headers"]}
        answer = app.dispatch(BoltRequest(body=row["body"], headers=headers))
        assert answer.status == 200, f"{answer.status}: {answer.body}"
        stale = {**headers, **{n: ["1"] for n in headers if n.lower() == "x-slack-request-timestamp"}}
        assert app.dispatch(BoltRequest(body=row["body"], headers=stale)).status == 401
    assert len(routed) == len(rows), routed
    return f"{len(rows)} requests routed: {', '.join(sorted(set(routed)))}"


def types(out, node):
    messages = [row["blocks"] for row in lines(out / "slack/messages.jsonl")]
    views = lines(out / "slack/views.jsonl")
    source = ['import type { KnownBlock, ModalView } from "@slack/types";']
    source += [f"export const m{i}: KnownBlock[] = {json.dumps(m)};" for i, m in enumerate(messages)]
    source += [f"export const v{i}: ModalView = {json.dumps(v)};" for i, v in enumerate(views)]
    (node / "check.ts").write_text("\n".join(source))
    tsc = ["npx", "--no-install", "tsc", "--strict", "--module", "nodenext", "--skipLibCheck", "--noEmit", "check.ts"]
    said = subprocess.run(tsc, cwd=node, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stdout[:1500]
    return f"{len(messages)} messages, {len(views)} dialogs"


def manifests():
    from jsonschema.validators import validator_for

    schema = json.loads(Path(MANIFEST_SCHEMA).read_text())
    files = sorted(Path("agent/slack").glob("manifest*.json"))
    for file in files:
        validator_for(schema)(schema).validate(json.loads(file.read_text()))
    return f"{len(files)} manifests"
