"""All pages of the console that links lead to, as somebody who has come in sees them."""

import re
from collections import deque
from collections.abc import Mapping

import httpx

MOST = 60  # pages
LINK = re.compile(r'href="(/[^"#]*)"')
OTHERS = ("/metrics", "/healthz", "/overview")
NOT_FOLLOWED = re.compile(r"/(static/|logout)")


def pages(environment: Mapping[str, str]) -> dict[str, str]:
    """{path: page}."""
    seen: dict[str, str] = {}
    token = environment.get("SMELT_CONSOLE_TOKEN", "")
    with httpx.Client(base_url=environment["SMELT_CONSOLE_URL"], timeout=30, follow_redirects=True) as client:
        client.get("/", params={"token": token} if token else {})
        waiting = deque(["/", *OTHERS])
        while waiting and len(seen) < MOST:
            if (path := waiting.popleft()) not in seen:
                seen[path] = client.get(path).text
                waiting += [
                    one.replace("&amp;", "&") for one in LINK.findall(seen[path]) if not NOT_FOLLOWED.match(one)
                ]
    return seen
