"""A headless Chromium that looks at a page as a person would, and reports what went wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.required import missing

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 1280)


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox; the pages are ours.
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Page:
    """A file opened at a width; ``complaints``: errors, warnings of the console, and requests beyond the file."""

    def __init__(self, browser: Any, file: Path, width: int, scheme: str = "light", touch: bool = False) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, has_touch=touch, is_mobile=touch
        )
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on("request", lambda r: self._request(r.url, file))
        self.page.goto(file.as_uri())

    def _request(self, url: str, file: Path) -> None:
        if url != file.as_uri() and not url.startswith("data:"):
            self.complaints.append(f"request: {url}")

    def read(self, script: str) -> Any:
        """What a piece of JavaScript evaluates to."""
        return self.page.evaluate(script)

    def close(self) -> None:
        self.context.close()


@contextmanager
def opened(browser: Any, file: Path, width: int, **options: Any) -> Iterator[Page]:
    """A page that must not have complained by the end."""
    page = Page(browser, file, width, **options)
    try:
        yield page
        assert page.complaints == []
    finally:
        page.close()
