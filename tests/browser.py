"""Chromium without a window, for tests of pages that are opened from disk."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

from tests.support import wait_until

QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --lang=en-US"
)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Chromium with a profile of its own, which keeps logs of its console and of its requests."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (*QUIET.split(), f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(driver))
    window.execute_cdp_cmd(
        "Emulation.setFocusEmulationEnabled", {"enabled": True}
    )  # as a window that a reader looks at
    try:
        yield window
    finally:
        window.quit()


def resize(window: webdriver.Chrome, width: int, height: int) -> None:
    """Give the page this many CSS pixels."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def requests(window: webdriver.Chrome) -> list[str]:
    """Addresses of all requests since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in window.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def visit(window: webdriver.Chrome, address: str) -> None:
    """Open the report, and wait until it has unpacked the records of where its numbers come from."""
    window.get(address)
    wait_until(lambda: window.find_elements("css selector", "#provenance .source"))


def find(window: webdriver.Chrome, selector: str) -> WebElement:
    """The first such element, brought to the middle of the window, clear of what sticks to its edges."""
    element = window.find_element("css selector", selector)
    window.execute_script("arguments[0].scrollIntoView({ block: 'center' })", element)
    return element


def click(window: webdriver.Chrome, selector: str) -> None:
    """Click it as a reader does."""
    find(window, selector).click()


def look(window: webdriver.Chrome, selector: str) -> Any:
    """What a canvas shows, as a data URI."""
    return window.execute_script("return document.querySelector(arguments[0]).toDataURL()", selector)
