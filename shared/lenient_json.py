"""JSON as it comes: fast where it is strict, and lenient where one record's flaw must not cost its neighbours."""

import json
from typing import Any

import orjson


def loads(content: bytes) -> Any:
    """Parse JSON. Lone surrogates, NaN and Infinity come through, for the records they occur in to be judged by.

    Raises ValueError for what is not JSON at all, or nested deeper than Python goes.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error
