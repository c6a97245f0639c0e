"""Whether a page fits the windows that people have."""

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTHS = (320, 390, 800, 1_130, 1_280)
SCHEMES = ("light", "dark")


def scrolling(page: "Page") -> list[tuple[str, int, int]]:
    """Where the page as it is now scrolls sideways: (colour scheme, width of the window, width of the page)."""
    wider = []
    for scheme, width in product(SCHEMES, WIDTHS):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its literals
        page.set_viewport_size({"width": width, "height": 800})
        if (content := page.evaluate("document.documentElement.scrollWidth")) != width:
            wider.append((scheme, width, content))
    return wider
