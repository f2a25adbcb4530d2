"""Fetches what the daemon says of itself: metrics in both formats and health. Waits until it answers, for a minute."""

import sys
import time
import urllib.error
import urllib.request

base, out = sys.argv[1:3]
FORMATS = {
    "metrics.txt": ("/metrics", "text/plain;version=0.0.4"),
    "metrics.openmetrics": ("/metrics", "application/openmetrics-text;version=1.0.0"),
    "healthz": ("/healthz", "*/*"),
    "readyz": ("/readyz", "*/*"),
}


def get(path, accept):
    request = urllib.request.Request(base + path, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        return refused.read()


for _ in range(120):
    try:
        get("/healthz", "*/*")
        break
    except (urllib.error.URLError, ConnectionError):
        time.sleep(0.5)
else:
    sys.exit("the daemon did not answer within a minute")
for name, (path, accept) in FORMATS.items():
    with open(f"{out}/{name}", "wb") as file:
        file.write(get(path, accept))
