"""JSON patches (RFC 6902) of message bodies."""

import json
from pathlib import Path

from jsonpatch import JsonPatch, JsonPatchException, JsonPointerException

from shared.errors import PermanentError


def read(file_or_json: str) -> JsonPatch:
    """Read a patch from a file or inline JSON. Raises PermanentError if it is invalid."""
    written_out = file_or_json.lstrip().startswith("[")
    try:
        text = file_or_json if written_out else Path(file_or_json).read_text(encoding="utf-8")
        operations = json.loads(text)
        if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
            message = "it must be an array of operations"
            raise PermanentError(message)  # noqa: TRY301 - one message for all of them
        return JsonPatch(operations)
    except OSError as error:
        message = f"the patch {file_or_json!r} cannot be read: {error.strerror}"
    except (ValueError, RecursionError, JsonPatchException, JsonPointerException, PermanentError) as error:
        message = f"not a JSON patch (RFC 6902): {error}"
    raise PermanentError(message)


def apply(patch: JsonPatch, body: str) -> str:
    """Apply the patch; the body is unchanged byte for byte if the patch has no effect.

    Raises PermanentError if the body is not JSON or the patch does not apply.
    """
    try:
        before = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = "the body is not JSON and cannot be patched"
        raise PermanentError(message) from error
    try:
        after = patch.apply(before)
    except (JsonPatchException, JsonPointerException, TypeError, RecursionError) as error:
        message = f"the patch does not apply: {error}"
        raise PermanentError(message) from error
    text = json.dumps(after, separators=(",", ":"))
    return body if text == json.dumps(before, separators=(",", ":")) else text
