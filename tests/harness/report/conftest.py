"""One store and its page for all tests of the report that need a browser."""

import pytest

from tests.browser import chromium, requests, resize
from tests.machine_page import LAPTOP, next_frame
from tests.made_once import made_once
from tests.report_store import make_store, read_store, settle


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Random models, and the page that shows them."""
    return read_store(made_once(tmp_path_factory, "report", make_store))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser that remembers nothing of another module."""
    with chromium(tmp_path_factory.mktemp("profile")) as window:
        window.get("about:blank")  # away from the browser's own first page, which may still be asking for things
        requests(window)
        yield window


@pytest.fixture(scope="module")
def opened(browser, store):
    """The page in a browser, when all of its models are unpacked."""
    browser.get(store.page.as_uri())
    settle(browser, store)
    return browser


@pytest.fixture
def at_the_top(opened):
    """The page at its top on a laptop, a picked image of a 7 and no noise."""
    resize(opened, *LAPTOP)
    opened.execute_script("document.querySelector('#inspector-close').click(); scrollTo(0, 0)")
    opened.execute_script("machine.setStage(null); document.querySelector('[data-pick=\"7\"]').click()")
    opened.execute_script("machine.setEps([0, 0])")
    next_frame(opened)
    yield opened
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
