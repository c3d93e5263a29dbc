"""The page in a reader's hands: charts that stay uncovered, an address that keeps its state, slides, print, tables."""

import base64
import re
from itertools import pairwise

import pytest
from selenium.webdriver import ActionChains, Keys

from tests.browser import click, find, resize, visit
from tests.support import wait_until

DESK, PHONE, PROJECTOR, OLD_PROJECTOR = (1440, 900), (360, 740), (1280, 720), (1024, 768)
PAPER = (695, 1032)  # A4 without its margins


@pytest.fixture(scope="module")
def page(store):
    return store.page.as_uri()


@pytest.fixture
def window(browser, page):
    """The page as it opens on a desk, nothing remembered."""
    resize(browser, *DESK)
    if browser.current_url.startswith(page):
        browser.execute_script("localStorage.clear()")
    visit(browser, page)
    return browser


def settled(window):
    """The query of the address, once the page has written it."""
    wait = "const done = arguments[0]; setTimeout(() => done(location.search), 400)"
    return window.execute_async_script(wait)


def at_rest(window):
    """Once all models are unpacked, and the page has not changed its height for half a second."""
    unpacked = "return Object.keys(models).length === Object.keys(JSON.parse(document.all.models.textContent)).length"
    wait_until(lambda: window.execute_script(unpacked))
    window.execute_async_script(
        "const done = arguments[0]; let height = 0, same = 0; const timer = setInterval(() => {"
        "same = document.body.scrollHeight === height ? same + 1 : 0; height = document.body.scrollHeight;"
        "if (same >= 5) { clearInterval(timer); done(); } }, 100)"
    )


def overlap(window, plot):
    """Whether a chart's values cover any of what it draws."""
    return window.execute_script(
        "const [a, b] = ['svg', '.readout'].map(s => arguments[0].querySelector(s).getBoundingClientRect());"
        "return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom", plot
    )  # fmt: skip


@pytest.mark.parametrize("block", ["start", "center", "end"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_values_never_cover_the_chart_they_belong_to_and_nothing_moves(block, size, window):
    resize(window, *size)
    at_rest(window)
    for chart in ("figure2-0", "figure2-4", "figure3-1", "marginal-mnist-0", "learning-compute"):
        plots = window.find_elements("css selector", f"#{chart} .plot")
        plot = next(each for each in plots if each.is_displayed())
        window.execute_script("arguments[0].scrollIntoView({ block: arguments[1] })", plot, block)
        place = "return [scrollY, arguments[0].getBoundingClientRect().top, document.body.scrollHeight]"
        before = window.execute_script(place, plot)
        window.execute_script(
            "const box = arguments[0].getBoundingClientRect(); arguments[0].dispatchEvent(new PointerEvent("
            "'pointerdown', { clientX: box.left + box.width / 2, clientY: box.top + 40, bubbles: true }))", plot
        )  # fmt: skip
        assert plot.find_element("css selector", ".readout").is_displayed()
        assert not overlap(window, plot), (chart, block)
        assert window.execute_script(place, plot) == before
        window.execute_script("document.body.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }))")
        assert not plot.find_element("css selector", ".readout").is_displayed()


def test_figure_2_has_the_papers_arrangement_and_both_ranges(window):
    def rows():
        tops = window.execute_script(
            "return [...document.querySelectorAll('.chart[id^=figure2-]')].map(e => e.getBoundingClientRect().top)"
        )
        return [tops.count(top) for top in sorted({*tops})]

    def shown():
        return window.execute_script(
            "return [...document.querySelectorAll('.plot[data-range]')].filter(e => e.checkVisibility())"
            ".map(e => e.dataset.range).filter((r, k, all) => all.indexOf(r) === k)"
        )

    assert rows() == [5, 4]
    assert shown() == ["ours"]
    click(window, "button[data-range=paper]")
    assert shown() == ["paper"]
    axis = "#figure2-0 .plot[data-range=paper] text"
    labels = [text.text for text in window.find_elements("css selector", axis)]
    assert "10⁸" in labels, "the paper's axis goes to 2.5·10⁸ samples"
    assert rows() == [5, 4]


def test_the_address_keeps_what_is_shown_and_gives_it_back(window, page):
    click(window, "[data-language=ko]")
    click(window, "#theme")
    click(window, "button[data-range=paper]")
    click(window, "#fold-distance-2 > summary")
    click(window, "#figure2-3 .enlarge")
    query = settled(window)
    for part in ("lang=ko", "theme=dark", "range=paper", "open=fold-distance-2", "chart=figure2-3"):
        assert part in query
    window.execute_script("localStorage.clear()")
    window.get("about:blank")
    visit(window, page + query)
    root = find(window, "html")
    seen = [root.get_attribute(name) for name in ("lang", "data-theme", "data-range")]
    assert seen == ["ko", "dark", "paper"]
    opened = window.execute_script("return [...document.querySelectorAll('details[open]')].map(e => e.id)")
    assert opened == ["fold-distance-2"]
    assert "large" in find(window, "#figure2-3").get_attribute("class")


def test_an_address_that_makes_no_sense_opens_the_page_all_the_same(window, page):
    visit(window, f"{page}?lang=fr&theme=pink&range=7&open=nothing&chart=none&mode=x&slide=9#nowhere")
    root = find(window, "html")
    assert root.get_attribute("lang") == "en"
    assert root.get_attribute("data-range") == "ours"
    assert window.get_log("browser") == []


def test_the_whole_page_is_short_while_its_tables_are_folded(window):
    folded = window.execute_script("return document.body.scrollHeight")
    tables = window.find_elements("css selector", "section:not(#claims) table.numbers, #provenance .source")
    assert len(tables) > 30
    assert not any(table.is_displayed() for table in tables)
    window.execute_script("document.querySelectorAll('details.fold').forEach(fold => { fold.open = true })")
    assert window.execute_script("return document.body.scrollHeight") > folded + 5_000


def test_a_link_to_a_record_opens_what_holds_it(window):
    window.execute_script("location.hash = document.querySelector('#provenance .source').id")
    settled(window)
    assert window.find_element("css selector", "#provenance .source dl").is_displayed()


def test_a_table_is_sorted_as_numbers(window):
    click(window, "#fold-denoise-1 > summary")
    head = "#fold-denoise-1 th:nth-child(3) .sort"
    values = []
    for _ in range(2):
        click(window, head)
        cells = window.find_elements("css selector", "#fold-denoise-1 td:nth-child(3)")
        values.append([float(cell.text.replace("\N{MINUS SIGN}", "-")) for cell in cells])
    assert values[0] == sorted(values[0])
    assert values[1] == values[0][::-1]
    assert values[0] != sorted(values[0], key=str), "as text they would stand otherwise"


def test_powers_of_ten_are_sorted_by_what_they_are_worth(window):
    shown = ["10⁶", "–", "3·10⁻⁸ ± 10⁻⁹", "−2·10⁵", "1,000", "20", "−4.1·10⁻²"]
    click(window, "#fold-denoise-1 > summary")
    window.execute_script(
        "const rows = [...document.querySelector('#fold-denoise-1 tbody').rows];"
        "rows.forEach((row, k) => arguments[0][k] ? row.cells[2].textContent = arguments[0][k] : row.remove())", shown
    )  # fmt: skip
    click(window, "#fold-denoise-1 th:nth-child(3) .sort")
    cells = window.find_elements("css selector", "#fold-denoise-1 td:nth-child(3)")
    assert [cell.text for cell in cells] == ["−2·10⁵", "−4.1·10⁻²", "3·10⁻⁸ ± 10⁻⁹", "20", "1,000", "10⁶", "–"]


def test_records_are_listed_as_numbers(window):
    sizes = [
        int(match[1])
        for title in window.execute_script(
            "return [...document.querySelectorAll('#provenance .source summary')].map(e => e.textContent)"
        )
        if (match := re.match(r"Frey Face, N.?z = (\d+), AEVB", title))
    ]
    assert len({*sizes}) >= 4
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_origins_button_to_close_is_always_in_reach(size, window):
    resize(window, *size)
    click(window, "#figure2-2 .origin") if size == DESK else click(window, "#figure2-0 .origin")
    dialog = window.find_element("css selector", "dialog")
    window.execute_script("arguments[0].scrollTop = 1e6", dialog)
    assert window.execute_script("return arguments[0].scrollTop", dialog) > 100, "nothing to scroll"
    box = window.execute_script("return document.querySelector('dialog .close').getBoundingClientRect().toJSON()")
    assert box["top"] >= 0
    assert box["bottom"] <= size[1]
    ActionChains(window).send_keys(Keys.ESCAPE).perform()
    assert not dialog.is_displayed()


TOO_SMALL = """const slide = document.querySelector("main .on:not(:has(.on))"), found = [];
for (const walk = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT); walk.nextNode();) {
  const at = walk.currentNode.parentElement, svg = at.closest("svg");
  if (!walk.currentNode.textContent.trim() || !at.checkVisibility()) continue;
  if (at.closest("math, sub, .unseen, script")) continue;
  const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : at.currentCSSZoom;
  const size = parseFloat(getComputedStyle(at).fontSize) * scale;
  if (size < 13.9) found.push([walk.currentNode.textContent.trim(), size]);
}
return found"""


@pytest.mark.parametrize("size", [PROJECTOR, OLD_PROJECTOR])
def test_slides_fit_the_projector_with_letters_of_14_pixels_and_arrow_keys_go_through_them(size, window, page):
    resize(window, *size)
    visit(window, f"{page}?mode=projector&lang=ko")
    at_rest(window)
    names, counts = set(), 0
    for tour in ("", "more"):
        if tour:
            window.find_element("css selector", "#slide-more").click()
        count = int(find(window, "#slide-place").text.split("/")[1])
        assert count >= 10
        counts += count
        for k in range(count):
            assert find(window, "#slide-place").text == f"{k + 1} / {count}"
            shown = window.execute_script(
                "const inner = [...document.querySelectorAll('main .on:not(:has(.on))')];"
                "return inner.filter(e => e.checkVisibility()).length"
            )
            assert shown == 1
            assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")
            bottom, height = window.execute_script(
                "const slide = document.querySelector('main .on:not(:has(.on))');"
                "return [slide.getBoundingClientRect().bottom, innerHeight]"
            )
            names.add(window.execute_script("return address.get('slide')"))
            assert bottom <= height, f"slide {k + 1} {tour} ends below the window"
            assert window.execute_script(TOO_SMALL) == [], f"slide {k + 1} {tour}"
            ActionChains(window).send_keys(Keys.ARROW_RIGHT).perform()
    assert len(names) == counts, "each has an address"
    assert find(window, "#slide-place").text == f"{count} / {count}", "a tour ends with its last slide"
    studied = "return document.querySelector('main .on:not(:has(.on))').closest('#studies, #benchmarks') !== null"
    assert window.execute_script(studied)
    window.find_element("css selector", "#slide-more").click()
    assert not window.execute_script(studied), "back where the tour was left"
    visit(window, page + settled(window))
    assert not window.execute_script(studied)
    ActionChains(window).send_keys(Keys.ESCAPE).perform()
    assert not find(window, "#presenter").is_displayed()


def test_keys_turn_slides_and_end_them_after_the_machine_was_touched(window, page):
    resize(window, *PROJECTOR)
    visit(window, f"{page}?mode=projector")
    at_rest(window)
    window.find_element("css selector", "#machine-plane").click()
    for key, slide in ((Keys.ARROW_RIGHT, "1"), (Keys.PAGE_DOWN, "2"), (Keys.PAGE_UP, "1")):
        ActionChains(window).send_keys(key).perform()
        assert find(window, "#slide-place").text.startswith(f"{slide} /")
    assert "Page Down" in find(window, "#slide-on").get_attribute("title")
    window.find_element("css selector", "#machine-plane").click()
    ActionChains(window).send_keys(Keys.ESCAPE).perform()
    assert not find(window, "#presenter").is_displayed()


@pytest.mark.parametrize("size", [OLD_PROJECTOR, (800, 1000)])
def test_the_machine_is_read_from_left_to_right_where_the_window_is_narrow(size, window):
    resize(window, *size)
    at_rest(window)
    boxes = window.execute_script(
        "return ['x', 'encoder', 'noise', 'close', 'plane', 'decoder', 'xhat']"
        ".map(name => document.querySelector(`.at-${name}`).getBoundingClientRect().toJSON())"
    )
    for one, other in pairwise(boxes):
        assert one["right"] <= other["left"] or one["bottom"] <= other["top"]
    assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_nothing_of_a_table_covers_the_bar_of_the_page(window):
    at_rest(window)
    covered = window.execute_script(
        "const head = document.querySelector('.forest thead th');"
        "scrollTo(0, scrollY + head.getBoundingClientRect().top - 5);"
        "const { left, width } = head.getBoundingClientRect();"
        "return document.elementFromPoint(left + width / 2, 12).closest('header.bar') === null"
    )
    assert not covered


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_prints_as_a_handout(language, window, page, capsys):
    visit(window, f"{page}?lang={language}&theme=dark&range=paper")
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        controls = window.execute_script(
            "const named = 'button:not(.part, .sort), input, .readout, details, #provenance, .command';"
            "return [...document.querySelectorAll(named)]"
            ".filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 80))"
        )
        resize(window, *PAPER)
        beside = window.execute_script("const { scrollWidth, clientWidth } = root; return scrollWidth - clientWidth")
    finally:
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        resize(window, *DESK)
    assert controls == []
    assert beside == 0, "a browser prints all smaller where anything is wider than the paper"
    theme = "dispatchEvent(new Event(arguments[0])); return document.documentElement.dataset.theme"
    assert [window.execute_script(theme, event) for event in ("beforeprint", "afterprint")] == ["light", "dark"]
    pdf = base64.b64decode(window.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    with capsys.disabled():
        print(f"\nhandout, {language}: {pages} pages")
    assert 4 <= pages <= 7


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_image_has_an_alternative_text_in_the_language_shown(language, window):
    click(window, f"[data-language={language}]")
    texts = window.execute_script("return [...document.images].map(e => e.alt)")
    assert len(texts) >= 5
    for text in texts:
        assert len(text) > 15
        assert bool(re.search("[가-힣]", text)) == (language == "ko")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_on_a_phone_formulas_and_tables_scroll_in_their_own_box(language, window, page):
    resize(window, *PHONE)
    visit(window, f"{page}?lang={language}")
    window.execute_script("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
    assert window.execute_script("return document.documentElement.scrollWidth") == 360
    beyond = window.execute_script(
        "return [...document.querySelectorAll('main p, main h3, main figcaption, .legend li, math[display=block]')]"
        ".filter(e => e.checkVisibility() && !e.closest('.charts, .scroll'))"
        ".filter(e => e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 100))"
    )
    assert beyond == []
    cut = "[...document.querySelectorAll('main > :not(.machine) math[display=block]')]"
    assert (
        window.execute_script(
            f"return {cut}.filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).length"
        )
        == 0
    )
    small = window.execute_script(
        "const named = 'button:not(.part, .origin, .sort, .enlarge, #machine-clear), summary, input[type=range]';"
        "return [...document.querySelectorAll(named)].filter(e => e.checkVisibility())"
        ".filter(e => Math.min(e.offsetHeight, e.offsetWidth) < 41).map(e => e.outerHTML.slice(0, 100))"
    )
    assert small == [], "a finger finds it"
