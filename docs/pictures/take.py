"""Take a picture of one part of a report, in Debian's chromium.

python docs/pictures/take.py results/report.html baseline-demo-bearing docs/pictures/report.png
python docs/pictures/take.py results/report.html machines docs/pictures/machines.png
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

page, part, out = sys.argv[1:]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    opened = browser.new_page(viewport={"width": 1130, "height": 1000})
    opened.goto(f"{Path(page).resolve().as_uri()}#{part}")
    opened.locator("img").evaluate_all("images => images.forEach(image => { image.loading = 'eager'; })")
    opened.locator(f"[id='{part}']").screenshot(path=out)
