"""Make one paper into a PDF, in a process of its own: JSON comes in, the PDF goes out.

Run by path and without our environment. What customers wrote is data to the template, never markup.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def main() -> None:
    """Read from standard input, write to standard output."""
    import typst  # noqa: PLC0415 - whoever only imports this module needs no typesetter

    given = sys.stdin.buffer.read()
    paper = json.loads(given)
    folders: list[Path] = []
    for package in ("fontpkg_noto_sans", "fontpkg_noto_sans_devanagari"):
        try:
            folders.append(Path(str(__import__(package).__file__)).parent / "files")
        except ImportError:
            continue  # then the typesetter's own fonts and those of the system must do
    made = typst.compile(
        Path(__file__).with_name("paper.typ"),
        format="pdf",
        root=Path(__file__).parent,
        font_paths=folders,
        sys_inputs={"paper": given.decode()},
        timestamp=datetime.fromtimestamp(paper["timestamp"], UTC),
    )
    assert isinstance(made, bytes)  # noqa: S101 - one PDF, as asked
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
