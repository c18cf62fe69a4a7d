"""As much of Go's templates, with Helm's functions, as our chart uses; anything else is an error.

It lets the chart be rendered and read where no `helm` is installed. Where it is, `test_chart.py` compares the two.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\(|\)|\||[^\s()|]+')


class Chart:
    """A chart in a folder."""

    def __init__(self, folder: Path) -> None:
        self._about = yaml.safe_load((folder / "Chart.yaml").read_text())
        self.version = self._about["version"]
        self.values = yaml.safe_load((folder / "values.yaml").read_text())
        self._texts = {path.name: path.read_text() for path in sorted((folder / "templates").iterdir())}
        self._defined: dict[str, list[Any]] = {}

    def render(self, values: dict[str, Any], release: str = "shop") -> dict[str, str]:
        """The text of each template by file name."""
        about = {"AppVersion": self._about["appVersion"], "Name": self._about["name"]}
        root = {"Values": values, "Chart": about, "Release": {"Name": release}}
        parsed = {name: _parse(text) for name, text in self._texts.items()}
        for tree in parsed.values():
            for node in tree:
                if node[0] == "define":
                    self._defined[node[1]] = node[2]
        return {name: self._run(tree, root, {"$": root}) for name, tree in parsed.items() if not name.startswith("_")}

    def _run(self, tree: list[Any], dot: Any, names: dict[str, Any]) -> str:
        out = []
        for kind, what, *rest in tree:
            if kind == "text":
                out.append(what)
            elif kind == "say":
                said = self._value(what, dot, names)
                if said is None:
                    raise LookupError(f"{what} is not set")
                out.append(json.dumps(said) if isinstance(said, bool) else str(said))
            elif kind == "if":
                out.append(self._run(rest[0] if self._value(what, dot, names) else rest[1], dot, names))
            elif kind == "with":
                found = self._value(what, dot, names)
                out.append(self._run(rest[0], found, names) if found else self._run(rest[1], dot, names))
            elif kind == "range":
                variables, _, expression = what.rpartition(":=")
                key, value = (name.strip() for name in variables.split(","))
                for each, held in sorted(self._value(expression.strip(), dot, names).items()):
                    out.append(self._run(rest[0], held, {**names, key: each, value: held}))
        return "".join(out)

    def _value(self, expression: str, dot: Any, names: dict[str, Any]) -> Any:
        tokens = _TOKEN.findall(expression)
        value = self._pipeline(tokens, dot, names)
        if tokens:
            raise SyntaxError(f"left over: {tokens}")
        return value

    def _pipeline(self, tokens: list[str], dot: Any, names: dict[str, Any]) -> Any:
        piped: list[Any] = []
        while True:
            words: list[Any] = []
            function = ""
            while tokens and tokens[0] not in ("|", ")"):
                token = tokens.pop(0)
                if token == "(":
                    words.append(self._pipeline(tokens, dot, names))
                    assert tokens.pop(0) == ")"
                elif not words and not function and re.fullmatch(r"[a-zA-Z]+", token):
                    function = token
                else:
                    words.append(self._word(token, dot, names))
            given = words + piped
            piped = [self._call(function, given, names) if function else given[0]]
            if not function:
                assert len(given) == 1, expression_error(given)
            if not tokens or tokens[0] == ")":
                return piped[0]
            tokens.pop(0)

    def _word(self, token: str, dot: Any, names: dict[str, Any]) -> Any:
        if token.startswith('"'):
            return json.loads(token)
        if token.lstrip("-").isdigit():
            return int(token)
        head, *path = token.split(".")
        value = names[head] if head.startswith("$") else dot
        for part in filter(None, path):
            value = value[part]
        return value

    def _call(self, name: str, given: list[Any], names: dict[str, Any]) -> Any:
        match name, given:
            case "include", [str(template), context]:
                return self._run(self._defined[template], context, {"$": context})
            case "dict", _:
                return dict(zip(given[::2], given[1::2], strict=True))
            case "default", [otherwise, value]:
                return value or otherwise
            case "printf", [str(form), *rest]:
                return form % tuple(rest)
            case "quote", [value]:
                return json.dumps(str(value))
            case "not", [value]:
                return not value
            case "toYaml", [value]:
                return yaml.safe_dump(value, default_flow_style=False).rstrip("\n")
            case "nindent", [int(width), str(text)]:
                return "\n" + "\n".join(" " * width + line if line else line for line in text.split("\n"))
        raise NameError(f"{name} with {len(given)} arguments")


def expression_error(given: list[Any]) -> str:
    """Why an expression cannot be read."""
    return f"{given} is several values and no function"


def _parse(text: str) -> list[Any]:
    """Nodes: (text, …), (say, …), (if|with|range, expression, body, otherwise), (define, name, body)."""
    root: list[Any] = []
    stack: list[tuple[list[Any], tuple[Any, ...] | None]] = [(root, None)]
    place = 0
    trim = False
    for match in _ACTION.finditer(text):
        before = text[place : match.start()]
        if trim:
            before = before.lstrip()
        if match[1]:
            before = before.rstrip()
        place, trim = match.end(), bool(match[3])
        if before:
            stack[-1][0].append(("text", before))
        word, _, rest = match[2].partition(" ")
        if word in ("if", "with", "range", "define"):
            body: list[Any] = []
            node = ("define", json.loads(rest), body) if word == "define" else (word, rest, body, [])
            stack[-1][0].append(node)
            stack.append((body, node))
        elif word == "else":
            node = stack.pop()[1]  # type: ignore[assignment]
            stack.append((node[3], node))
        elif word == "end":
            stack.pop()
        else:
            stack[-1][0].append(("say", match[2]))
    tail = text[place:]
    stack[-1][0].append(("text", tail.lstrip() if trim else tail))
    assert len(stack) == 1, "an action has no end"
    return root
