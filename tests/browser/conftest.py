"""The page of a small study of every kind, opened in a real browser."""

import pytest

from tests.browser.chromium import Chromium, find_chromium
from tests.contracts.small import CONFIG, make_page


@pytest.fixture(scope="session")
def page_path(tmp_path_factory):
    if find_chromium() is None:
        pytest.skip("there is no Chromium here: install it to test the page in a browser")
    return make_page(CONFIG, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def browser(page_path):  # noqa: ARG001 - skips where there is no browser
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser, page_path):
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    browser.open(page_path)
    browser.run("localStorage.clear()")
    browser.open(page_path)
    return browser
