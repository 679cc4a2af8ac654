"""What a person sees of the dashboard: headless Chromium logs in and opens the list of machines.

It is a program, since it runs in the network namespace of the test hosts. The job is JSON on standard input:
``site`` (the dashboard's URL), ``password`` (of ``admin``), ``authority`` (file of the certificate authority
to be trusted), ``machine`` (a name that should be in the list), ``picture`` (a PNG file to write). What was
seen is printed as JSON.

Chromium and its driver run as ``nobody`` with a home of their own, whose NSS database trusts the authority.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as there
from selenium.webdriver.support.ui import WebDriverWait

_USER = "nobody"
_PATIENCE = 90
# What the page itself says of its styles: how many sheets have rules, and how a button and the text look.
_STYLES = """
const look = (selector, property) => {
    const found = document.querySelector(selector);
    return found ? getComputedStyle(found).getPropertyValue(property) : null;
};
return {
    sheets: [...document.styleSheets].map(sheet => sheet.cssRules.length),
    button: look(".btn-primary", "background-color"),
    font: look("body", "font-family"),
    scripts: typeof horizon === "object" && typeof angular === "object" && typeof jQuery === "function",
};
"""


@contextmanager
def home(authority: str) -> Iterator[Path]:
    """Make a home for the browser that trusts the authority and nobody else."""
    folder = Path(tempfile.mkdtemp(prefix="rdo-browser-"))
    try:
        database = folder / ".pki/nssdb"
        database.mkdir(parents=True)
        place = ["-d", f"sql:{database}"]
        subprocess.run(["certutil", *place, "-N", "--empty-password"], check=True)
        subprocess.run(["certutil", *place, "-A", "-n", "cloud", "-t", "C,,", "-i", authority], check=True)
        subprocess.run(["chown", "-R", _USER, folder], check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium as an ordinary user and end it afterwards."""
    driver = folder / "driver"
    driver.write_text(
        f'#!/bin/sh\nexec runuser -u {_USER} -- env HOME={folder} TMPDIR={folder} chromedriver "$@"\n'
    )
    driver.chmod(0o755)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    # its sandbox needs namespaces that not every machine lets ordinary users have; all pages are our own
    for word in ("headless", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "window-size=1400,900"):
        options.add_argument(f"--{word}")
    options.add_argument(f"--user-data-dir={folder}/profile")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(driver)))
    try:
        yield made
    finally:
        made.quit()


def visit(page: webdriver.Chrome, job: dict[str, Any]) -> dict[str, Any]:
    """Log in, open the list of machines, and return what is seen."""
    wait = WebDriverWait(page, _PATIENCE)
    page.get(f"{job['site']}/auth/login/")
    entry = {"title": page.title, "styles": page.execute_script(_STYLES)}
    for name, value in (("username", "admin"), ("password", job["password"])):
        field = page.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    page.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait.until(lambda _: "/auth/login" not in page.current_url)
    page.get(f"{job['site']}/project/instances/")
    wait.until(there.presence_of_element_located((By.LINK_TEXT, job["machine"])))
    page.save_screenshot(job["picture"])
    rows = page.find_elements(By.CSS_SELECTOR, "table tbody tr")
    return {
        "entry": entry,
        "title": page.title,
        "address": page.current_url,
        "rows": [row.text for row in rows],
        "styles": page.execute_script(_STYLES),
        "complaints": [line["message"] for line in page.get_log("browser") if line["level"] == "SEVERE"],
    }


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    with home(job["authority"]) as folder, browser(folder) as page:
        print(json.dumps(visit(page, job)))


if __name__ == "__main__":
    main()
