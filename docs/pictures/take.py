"""Take a picture of one part of a report, or of its top at a width in pixels, in Debian's chromium.

python docs/pictures/take.py results/report.html baseline-demo-bearing docs/pictures/report.png
python docs/pictures/take.py results/report.html machines docs/pictures/machines.png
python docs/pictures/take.py results/report.html 1280 docs/pictures/desktop.png
python docs/pictures/take.py results/report.html 390 docs/pictures/phone.png
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

page, part, out = sys.argv[1:]
width = int(part) if part.isdigit() else None
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    opened = browser.new_page(viewport={"width": width or 1130, "height": 1000})
    opened.goto(Path(page).resolve().as_uri() + ("" if width else f"#{part}"))
    opened.locator("img").evaluate_all("images => images.forEach(image => { image.loading = 'eager'; })")
    (opened if width else opened.locator(f"[id='{part}']")).screenshot(path=out)
