"""Child process that renders one document: JSON on standard input, the PDF on standard output.

Started by path and with an empty environment. Customers' texts are data to the template, never markup.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def main() -> None:
    """Read from standard input, write to standard output."""
    import typst  # noqa: PLC0415 - only the child process needs the typesetter

    given = sys.stdin.buffer.read()
    document = json.loads(given)
    folders: list[Path] = []
    for package in ("fontpkg_noto_sans", "fontpkg_noto_sans_devanagari"):
        try:
            folders.append(Path(str(__import__(package).__file__)).parent / "files")
        except ImportError:
            continue  # fall back to the fonts of the typesetter and the system
    pdf = typst.compile(
        Path(__file__).with_name("document.typ"),
        format="pdf",
        root=Path(__file__).parent,
        font_paths=folders,
        sys_inputs={"document": given.decode()},
        timestamp=datetime.fromtimestamp(document["timestamp"], UTC),
    )
    assert isinstance(pdf, bytes)  # noqa: S101 - one document is one PDF
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
