"""Pages in an installed Chromium, with an eye on everything that they ask for or complain of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HEIGHT = 1200

Open = Callable[..., Any]

MEASURES = (Path(__file__).parent / "measures.js").read_text(encoding="utf-8")
"""A script that adds ``measures`` to a page."""

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
"""A screen and a phone, by day and by night."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, driven by playwright; a test that needs it is skipped where either is missing."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("neither chromium nor google-chrome is on the PATH")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (the extra `test` has it)"
    )
    options = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # which Chromium refuses to start root without
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Open]:
    """Open a file at a width and in a colour scheme; what it complained of or asked for fails the test at its end."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(path: Path, *, width: int = 1280, scheme: str = "light", touch: bool = False) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme, has_touch=touch, service_workers="block"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on("request", lambda request: _judge(request.url, path, faults))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def _judge(url: str, path: Path, faults: list[str]) -> None:
    if url.partition("#")[0] != path.as_uri() and not url.startswith(("data:", "blob:")):
        faults.append(f"request: {url}")
