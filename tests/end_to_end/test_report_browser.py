"""The report in a real browser, opened from a file: on a desktop, on a telephone and on paper."""

import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.checkout import Checkout
from playwright.sync_api import Browser, Page, sync_playwright

from asdlib.report.distances import LISTS, NO_MAP
from asdlib.report.images import heat

pytestmark = [pytest.mark.workflow, pytest.mark.browser]

INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
LOCAL = ("file:", "data:", "blob:")
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"
# Everything that reaches over the right edge of the window, or of a part that hides what does not fit or scrolls.
CUT_OFF = """() => [...document.querySelectorAll("body *:not(thead, thead *)")].filter((part) => {
    const clips = getComputedStyle(part).overflowX !== "visible" && part.scrollWidth > part.clientWidth;
    return part.getClientRects().length && (clips || part.getBoundingClientRect().right > innerWidth + 0.5);
}).map((part) => `${part.tagName}.${part.className}: ${part.textContent.slice(0, 40)}`)"""
CLOSED = "() => document.querySelectorAll('details:not([open], .others)').length"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's chromium, which continuous integration installs if it can."""
    if not shutil.which("chromium") and "CI" in os.environ and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], check=True, timeout=300)
        subprocess.run(INSTALL, check=True, timeout=600)
    found = shutil.which("chromium")
    if not found:
        pytest.skip(f"NO BROWSER: the report was not opened. Remedy: {' '.join(INSTALL)}")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, built: Checkout) -> Iterator[Page]:
    """Open the page of the toy run; afterwards, check that it logged no errors and fetched nothing."""
    context = browser.new_context()
    opened, complaints = context.new_page(), []
    opened.on("console", lambda message: complaints.append(f"console: {message.text}"))
    opened.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    opened.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(LOCAL) else None)
    opened.goto((built.folder / "results/report.html").as_uri())
    yield opened
    context.close()
    assert not complaints


def test_the_tables_are_there_and_every_picture_is_drawn(page: Page, built: Checkout) -> None:
    overall = built.read("results/toy/scores.csv").decode().splitlines()[3].split(",")
    assert f"{float(overall[8]):.2f}" in page.inner_text("table.overview")
    page.evaluate(OPEN_ALL)
    assert page.locator("table.full tbody tr").count() == 6
    page.locator("img").evaluate_all(
        "images => Promise.all(images.map(i => { i.loading = 'eager'; return i.decode(); }))"
    )
    assert page.locator("img").count() > 20
    assert page.locator("img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")


def test_a_player_plays_to_its_end(page: Page) -> None:
    page.evaluate(OPEN_ALL)
    end = page.locator("audio").first.evaluate("""player => new Promise((done, fail) => {
        player.addEventListener("ended", () => done(player.currentTime));
        player.addEventListener("error", () => fail(player.error.message));
        player.muted = true;
        player.play().catch(fail);
    })""")
    assert end == pytest.approx(1.0, abs=0.2)  # s, the length of the toy's clips


def test_a_link_opens_what_it_leads_to(page: Page) -> None:
    page.evaluate("location.hash = 'clips-toy-pump'")
    page.wait_for_selector("#clips-toy-pump audio", state="visible")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate(OPEN_ALL)
    assert page.evaluate(CUT_OFF) == []
    assert page.locator(".score .name").first.is_visible()  # of the chart at the top


def test_a_table_of_many_machines_fits_a_desktop(page: Page) -> None:
    """As many columns as the 23 sections of 2020, with long names."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("""() => document.querySelectorAll(".machines tr").forEach((row) => {
        row.closest("table").classList.add("many");
        const cell = row.querySelector("td") ? "<td>100.00</td>" : "<th>ToyConveyor 06</th>";
        row.insertAdjacentHTML("beforeend", cell.repeat(21));
    })""")
    assert page.evaluate(CUT_OFF) == []


def test_the_first_machine_is_unfolded(page: Page) -> None:
    assert page.locator("#toy-toy-fan img").first.is_visible()
    assert not page.locator("#toy-toy-pump img").first.is_visible()


def test_a_click_on_a_mark_shows_and_plays_its_clip(page: Page, built: Checkout) -> None:
    clips = [row for row in csv.DictReader(built.read("results/toy/clips.csv").decode().splitlines())
             if (row["variant"], row["machine"]) == ("joint", "fan")]  # fmt: skip
    highest = max(clips, key=lambda row: float(row["anomaly_score"]))
    first = page.locator(".explorer").first
    first.locator("svg").first.locator(f".mark[aria-label^='{highest['clip']},']").click()
    said = first.locator("[role=status]").inner_text()
    assert highest["clip"] in said
    assert f"score {float(highest['anomaly_score']):.5g}, above the threshold" in said
    assert "rank 1 of 8" in said
    assert "100 % of the 7 training clips and 100 % of the 4 normal test clips" in said
    assert first.locator(".played img").first.is_visible()
    player = first.locator(".played audio").first
    player.evaluate(
        "player => new Promise((done) => { player.paused ? player.addEventListener('play', done) : done(); })"
    )


def test_marks_are_chosen_with_the_keyboard(page: Page) -> None:
    first = page.locator(".explorer").first
    first.locator(".other").focus()
    page.keyboard.press("Tab")
    labels = []
    for key in ("Home", "ArrowRight", "ArrowLeft", "ArrowLeft", "End"):
        page.keyboard.press(key)
        labels.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert [int(label.partition("rank ")[2].split(",")[0]) for label in labels] == [8, 7, 8, 8, 1]
    assert first.locator("[role=status]").inner_text() == ""
    page.keyboard.press("Enter")
    assert "rank 1 of 8" in first.locator("[role=status]").inner_text()
    assert first.locator("svg").first.locator("[tabindex='0']").count() == 1  # one stop of the Tab key
    first.locator(".variant").select_option("both")
    assert "variant both" in first.locator("[role=status]").inner_text()


def test_two_variants_are_compared_clip_by_clip(page: Page) -> None:
    first = page.locator(".explorer").first
    plots = first.locator("svg").count()
    first.locator(".other").select_option("toy/both")
    assert first.locator("svg").count() == plots + 1
    assert first.locator("svg").last.locator(".mark").count() == 8
    shown = [re.fullmatch(r".* rank (\d) and (\d) of 8", text) for text in first.locator("li").all_inner_texts()]
    apart = [abs(int(found[1]) - int(found[2])) for found in shown]
    assert len(apart) == 5
    assert apart == sorted(apart, reverse=True)
    button = first.locator(".differences button").first
    button.click()
    assert button.inner_text() in first.locator("[role=status]").inner_text()
    first.locator(".other").select_option("toy/joint")  # the variant itself
    assert "(Spearman) 1.00" in first.locator(".plots figcaption").last.inner_text()


def test_a_ranked_clip_is_played_at_a_click_on_its_name(page: Page, built: Checkout, tmp_path: Path) -> None:
    """As without labels: a ranking follows the plots of its section."""
    text = built.read("results/report.html").decode()
    clip = re.search(r'<article [^>]*data-clip="([^"]+)"', text)[1]
    cell = f'<td data-clip="{clip}" data-variant="both">{clip}</td>'
    ranking = f'<div><table class="ranking"><tbody><tr>{cell}</tr></tbody></table></div>'
    (tmp_path / "page.html").write_text(text.replace("</script>\n</div>", f"</script>\n</div>{ranking}", 1))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".ranking button").click()
    first = page.locator(".explorer").first
    assert re.search(f"{re.escape(clip)}.*variant both", first.locator("[role=status]").inner_text(), re.DOTALL)
    assert first.locator(".played audio").count() > 0


def of_an_autoencoder(text: str, errors: list[dict[str, Any]]) -> str:
    """Return the page with maps of errors in the first section in place of distances, which such models lack."""
    drawn = f'"distances": [], "errors": {json.dumps(errors)}'
    changed = re.sub(r'"distances": \[.*?\], "errors": \[\]', lambda _: drawn, text, count=1)
    assert changed != text
    return changed


def test_the_errors_of_a_chosen_clip_are_drawn_by_frequency(page: Page, built: Checkout, tmp_path: Path) -> None:
    """As for models that keep the errors of bands, which the toy's do not."""
    text = of_an_autoencoder(built.read("results/report.html").decode(), [])
    (tmp_path / "page.html").write_text(re.sub('"bands": null', f'"bands": {[[0.5, 3.5, -1.0]] * 8}', text, count=1))
    page.goto((tmp_path / "page.html").as_uri())
    first = page.locator(".explorer").first
    first.locator(".mark").first.click()
    assert first.locator(".played rect").count() == 3
    assert "most in part 2 of 3, 3.5" in first.locator(".played svg").get_attribute("aria-label")


def test_the_errors_of_a_chosen_clip_are_below_its_spectrogram(page: Page, built: Checkout, tmp_path: Path) -> None:
    """As for autoencoders of log-mel frames, which the toy's models are not; one has read the recording."""
    picture = heat(np.eye(32, 80), "largest near 1.2 s and 3000 Hz", "magma")
    drawn = {"view": "raw", "variants": ["joint"], "brightest": 16, "pictures": [picture] * 8}
    errors = [{**drawn, "name": "ae-123456"}, {**drawn, "name": "ae-456789"}]
    (tmp_path / "page.html").write_text(of_an_autoencoder(built.read("results/report.html").decode(), errors))
    page.goto((tmp_path / "page.html").as_uri())
    first = page.locator(".explorer").first
    first.locator(".mark.heard").first.click()
    spectrogram = first.locator(".played figure[data-view=raw] > img")
    maps = first.locator(".played .errors img")
    assert maps.evaluate_all("images => Promise.all(images.map(i => i.decode())).then(() => images.length)") == 2
    assert maps.first.get_attribute("alt") == picture["alt"]
    assert "ae-123456" in first.locator(".errors p").first.inner_text()
    assert re.search(r"1 or less\s+16 or more\.", first.locator(".errors p").first.inner_text())
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        above, below = spectrogram.bounding_box(), maps.first.bounding_box()
        assert (below["x"], below["width"]) == (above["x"], above["width"])  # the same axis of time
        assert 0 < below["y"] - above["y"] - above["height"] < 20
        assert page.evaluate(CUT_OFF) == []
    assert "no map" not in first.locator("[role=status]").inner_text()
    assert first.locator("[role=status]").inner_text().count(picture["alt"]) == 2
    first.locator(".variant").select_option("both")
    assert maps.count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_a_clip_of_an_embedding_is_compared_with_its_nearest_training_clips(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    first = page.locator(".explorer").first
    drawn = json.loads(first.locator("script").inner_text())
    first.locator(".mark.heard").first.click()
    clip = int(first.locator(".mark[aria-pressed=true]").first.get_attribute("data-clip"))
    own = [one for one in drawn["distances"] if drawn["variants"][0]["variant"] in one["variants"] and not one["flaw"]]
    assert own
    maps, legends = first.locator(".played .errors img"), first.locator(".played .errors p")
    assert maps.evaluate_all("images => Promise.all(images.map(i => i.decode())).then(() => images.length)") == len(own)
    for number, one in enumerate(own):
        assert maps.nth(number).get_attribute("alt") == one["pictures"][clip]["alt"]
        assert f"by {one['name']} over time and frequency" in one["pictures"][clip]["alt"]
        legend = legends.nth(number).inner_text()
        assert f"from the {one['neighbours']} nearest normal training clips by {one['name']}" in legend
        assert re.search(r"3 or less\s+12 or more\. This is not the model's score\.$", legend)
        said = first.locator("[role=status]").inner_text()
        assert f"{one['pictures'][clip]['alt']} The nearest clip is {one['nearest'][clip]}." in said
    bars = first.locator(".played svg")
    assert bars.count() == len(own)
    assert bars.first.locator("rect").count() == 16
    assert bars.first.get_attribute("aria-label").endswith(f"Largest: {own[0]['furthest'][clip]}")
    tallest = max(range(16), key=lambda part: abs(own[0]["parts"][clip][part]))
    assert [bar.get_attribute("class") == "bar most" for bar in bars.first.locator("rect").all()] == [
        part == tallest for part in range(16)
    ]
    above, below = first.locator(".played figure[data-view] > img").first.bounding_box(), maps.first.bounding_box()
    assert (below["x"], below["width"]) == (above["x"], above["width"])  # the same axis of time
    assert page.evaluate(CUT_OFF) == []


def test_an_embedding_without_a_map_says_why(page: Page, built: Checkout, tmp_path: Path) -> None:
    """As that of one number per clip, which the toy's are not."""
    text = built.read("results/report.html").decode()
    drawn = {"name": "mse of toy", "view": "raw", "variants": ["joint"], "neighbours": 0, "darkest": 3, "brightest": 12}
    drawn |= {"flaw": "the embedding has one number per clip"} | dict.fromkeys(LISTS, [None] * 8)
    (tmp_path / "page.html").write_text(text.replace('"distances": [', f'"distances": [{json.dumps(drawn)}, ', 1))
    page.goto((tmp_path / "page.html").as_uri())
    first = page.locator(".explorer").first
    first.locator(".mark").first.click()
    assert (
        "nearest training clips by mse of toy: the embedding has one number per clip."
        in first.locator("[role=status]").inner_text()
    )


def test_a_short_clip_without_a_map_says_why(page: Page, built: Checkout, tmp_path: Path) -> None:
    text = built.read("results/report.html").decode()
    drawn = {"name": "x of toy", "view": "raw", "variants": ["joint"], "neighbours": 4, "darkest": 3, "brightest": 12}
    drawn |= {"flaw": None} | dict.fromkeys(LISTS, [None] * 8) | {"lacks": [NO_MAP] * 8}
    (tmp_path / "page.html").write_text(text.replace('"distances": [', f'"distances": [{json.dumps(drawn)}, ', 1))
    page.goto((tmp_path / "page.html").as_uri())
    first = page.locator(".explorer").first
    first.locator(".mark").first.click()
    assert f"nearest training clips by x of toy: {NO_MAP}." in first.locator("[role=status]").inner_text()


def test_a_map_of_a_separated_view_without_a_player_says_so(page: Page, built: Checkout, tmp_path: Path) -> None:
    """A clip that is only heard has the recording alone, below which the map then is."""
    text = built.read("results/report.html").decode()
    picture = heat(np.eye(32, 80), "largest near 1.2 s and 3000 Hz", "magma")
    drawn = {"view": "separated/x", "variants": ["joint"], "brightest": 16, "pictures": [picture] * 8, "name": "ae"}
    (tmp_path / "page.html").write_text(of_an_autoencoder(text, [drawn, {**drawn, "view": "raw"}]))
    page.goto((tmp_path / "page.html").as_uri())
    first = page.locator(".explorer").first
    first.locator(".mark.heard").first.click()
    legends = first.locator(".played figure[data-view=raw] .errors p").all_inner_texts()
    told = "Computed from separated/x, which has no player here."
    assert sorted(told in legend for legend in legends) == [False, True]


def test_clips_that_no_variant_shows_are_folded_and_not_printed(page: Page) -> None:
    others = page.locator("details.others")
    assert others.count() == 2
    page.evaluate("document.querySelectorAll('#clips > details').forEach((part) => { part.open = true; })")
    assert page.locator(".clips > .clip:visible").count() == page.locator(".clip:not(.others .clip)").count()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".clip:visible").count() == page.locator(".clip:not(.others .clip)").count() > 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_it_prints_whole_and_without_players(page: Page, tmp_path: Path) -> None:
    assert page.evaluate(CLOSED) > 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate(CLOSED) == 0
    assert not page.locator("audio").first.is_visible()
    assert page.locator(".clip img").first.is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(CLOSED) > 0
