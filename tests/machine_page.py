"""The machine of the report in a browser: what a person does with it, and what it then holds."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from selenium.webdriver import ActionChains
from selenium.webdriver.remote.webdriver import WebDriver

LAPTOP, PHONE = (1440, 900), (360, 740)
THREE = [(-50, -70), (40, -75), (50, -45), (0, -10), (50, 30), (30, 70), (-50, 65)]
STATE = """const { q, z } = machine.main;
return [machine.eps.slice(0, 2), q.mean, q.deviation, z, machine.x].map((values) => [...values])"""


def next_frame(window: WebDriver) -> None:
    """Wait until what was asked for is drawn."""
    window.execute_script(
        "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


def within(window: WebDriver, selector: str) -> bool:
    """It is seen whole, without scrolling."""
    box = window.execute_script(
        "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector
    )
    width, height = window.execute_script("return [innerWidth, innerHeight]")
    inside = min(box["left"], box["top"]) >= 0 and box["right"] <= width and box["bottom"] <= height
    return inside and box["width"] > 0


def draw(window: WebDriver, places: Sequence[tuple[int, int]], *, touch: bool = False) -> None:
    """A stroke through these places of the pad, in two-hundredths of its side from its middle."""
    scale = window.find_element("css selector", "#machine-x").size["width"] / 200
    hold(window, "#machine-x", [(round(x * scale), round(y * scale)) for x, y in places], touch=touch)


def drag(window: WebDriver, selector: str, start: tuple[int, int], by: tuple[int, int], *, touch: bool = False) -> None:
    """Take hold of a canvas so far from its middle, in pixels, and move."""
    hold(window, selector, [start, (start[0] + by[0], start[1] + by[1])], touch=touch)


def hold(window: WebDriver, selector: str, places: Sequence[tuple[int, int]], *, touch: bool) -> None:
    """Press at the first place, pixels from the middle of an element, go to all others, and let go."""
    element = window.find_element("css selector", selector)
    if touch:
        box = window.execute_script("return arguments[0].getBoundingClientRect().toJSON()", element)
        middle = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
        for k, (x, y) in enumerate(places):
            finger = {"x": middle[0] + x, "y": middle[1] + y}
            kind = "touchMove" if k else "touchStart"
            window.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [finger]})
        window.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        actions = ActionChains(window, duration=20).move_to_element_with_offset(element, *places[0]).click_and_hold()
        for (x, y), (to_x, to_y) in pairwise(places):
            actions.move_by_offset(to_x - x, to_y - y)
        actions.release().perform()
    next_frame(window)


def state(window: WebDriver) -> dict[str, Any]:
    """The two first ε, and μ, σ, z and x of the model in front."""
    return dict(zip(("eps", "mean", "deviation", "z", "x"), map(np.array, window.execute_script(STATE)), strict=True))


def work(window: WebDriver) -> float:
    """Seconds of the processor that the page has had so far, whatever else runs on the machine."""
    metrics = window.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float({metric["name"]: metric["value"] for metric in metrics}["TaskDuration"])
