"""Text formatting shared by command line and console. No I/O."""

import json


def readable(body: str) -> str:
    """JSON indented; other text unchanged."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
