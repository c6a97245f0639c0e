"""Text for people, the same on the command line and in the console. Pure."""

import json


def readable(body: str) -> str:
    """JSON indented, anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
