"""`python -m tests.frontdoor.route_change SERVICE TIMES`, in a world's office: seconds from a pushed route to its use.

A person pushes routes.yaml, asks Argo CD to look (signed in through Identity-Aware Proxy), and uses the new route to
SERVICE.
Prints the seconds as a JSON list.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import yaml

from plugins.module_utils.gitops.handoff import hand_off

from .visitor import Browser, Place

DOMAIN, ALICE = "ml.acme.example", "alice@acme.example"
ARGOCD, PROBE = f"https://argocd.{DOMAIN}", f"https://probe.{DOMAIN}/health"
PATIENCE = 120.0


def _push(service: str, path: str) -> None:
    application = {"to": [{"service": service, "port": 80}], "paths": {"only": [path]}}
    text = yaml.safe_dump({"applications": {"probe": application}})
    options: dict[str, Any] = {
        "repository": "https://git.acme.example/platform/mlops-platform.git", "branch": "main",
        "username": "platform-bot", "password": os.environ["PLATFORM_GIT_TOKEN"],
        "message": f"Expose {path}", "author": "Ann <ann@acme.example>", "files": {"routes.yaml": text},
        "seeds": {}, "owned_folders": [], "trees": [], "downloads": [], "archives": [], "may_be_missing": False,
    }  # fmt: skip
    hand_off(options, check=False)


def _served(browser: Browser, status: int) -> None:
    """Waits until the probe is let through, or refused by the gateway."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = browser.place.send(PROBE, [browser.cookie(f"argocd.{DOMAIN}")])
        refused = answer.status == 403 and "RBAC" in answer.body
        if refused is (status == 403):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{PROBE} still answers {answer.status} after {PATIENCE:.0f} s")
        time.sleep(0.05)


def main() -> None:
    """Open and close the path as often as told."""
    service, times = sys.argv[1:]
    browser = Browser(Place())
    browser.sign_in(f"{ARGOCD}/api/version", ALICE)
    browser.follow(f"{ARGOCD}/auth/login?return_url={ARGOCD}/api/version")
    seconds = []
    for turn in range(int(times)):
        path, status = (("/health", 200), ("/version", 403))[turn % 2]
        begun = time.monotonic()
        _push(service, path)
        browser.open(f"{ARGOCD}/api/v1/applications/ingress?refresh=normal")
        _served(browser, status)
        seconds.append(time.monotonic() - begun)
    browser.place.leave()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
