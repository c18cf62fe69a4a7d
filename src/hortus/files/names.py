"""Safe names for files, made from those that customers send."""

import re
import unicodedata

from hortus.core.text import without_controls

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
LONGEST = 80
"""Characters of a name, without its extension."""


def safe_filename(name: str, mime_type: str) -> str:
    """The last part of `name` without control and direction marks, with the extension of its MIME type."""
    unquoted = re.sub("%(22|0[AaDd])", "", name)  # how browsers send quotes and line ends
    base = re.split(r"[\\/]", unicodedata.normalize("NFC", unquoted))[-1]
    kept = "".join(c for c in without_controls(base) if c not in '"<>|:*?;%')
    stem = (kept.rpartition(".")[0] or kept).strip(" .")[:LONGEST].strip(" .") or "file"
    return f"{stem}.{EXTENSIONS.get(mime_type, 'bin')}"
