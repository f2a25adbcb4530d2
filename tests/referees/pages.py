"""What a real browser says of our pages: no message on its console, and something to see."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
    "--window-size=1000,1600",
]


def look(out):
    pages = [*(out / "week").rglob("report.html"), *out.glob("ND-*.html")]
    assert len(pages) > 1, "there are none"
    for page in pages:
        with tempfile.TemporaryDirectory() as profile:
            shot = Path(profile) / "shot.png"
            where = [f"--user-data-dir={profile}", f"--screenshot={shot}", page.resolve().as_uri()]
            said = subprocess.run([CHROMIUM, *FLAGS, *where], capture_output=True, text=True, timeout=120)
            console = [line for line in said.stderr.splitlines() if re.search(r"CONSOLE", line)]
            assert not console, f"{page.name}: {console[:3]}"
            assert shot.exists() and shot.stat().st_size > 20_000, f"{page.name} shows nothing"
        text = page.read_text()
        assert "<script" not in text and not re.search(r'(?:src|href)="(?:https?:)?//', text), f"{page.name} loads something"
    return f"{len(pages)} pages"
