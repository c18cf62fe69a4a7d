"""Answers in a conversation: earlier statements, sums, dates, small talk."""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hortus.providers import ChatMessage
from hortus_local.compose import compose, dice
from hortus_local.extract import MAX_READ, keywords, sentences, words

_SUMS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_SPOKEN = (("multiplied by", "*"), ("divided by", "/"), ("plus", "+"), ("minus", "-"), ("times", "*"), ("over", "/"),
           ("×", "*"), ("÷", "/"), ("−", "-"), ("^", "**"))  # fmt: skip


def reply(messages: Sequence[ChatMessage]) -> str:
    """An answer to the last message, with the earlier ones in mind."""
    last = messages[-1].content[:MAX_READ].strip()
    earlier = [m.content[:MAX_READ] for m in messages[:-1] if m.role == "user"]
    for answer in (
        _answer_sum(last), _answer_memory(last, earlier, messages), _answer_date(last), compose_in_chat(last),
        _answer_small_talk(last, earlier), _acknowledge_facts(last), _answer_from_context(last, earlier),
    ):  # fmt: skip
        if answer:
            return answer
    return _listen(last, earlier)


def compose_in_chat(last: str) -> str | None:
    """A text when one is asked for; a passing mention of a letter or a list is not asking."""
    asking = r"\b(?:write|draft|compose|create|generate|give|suggest|summari[sz]e|translate|rewrite|proofread|polish|make|count|how many words|list|tl;?dr|correct|shorten)\b"
    return compose(last) if re.search(asking, last[:200].lower()) else None


def calculate(text: str) -> float | None:
    """The value of the sum in the text, or None when there is none (or it is too large to bother)."""
    line = text.lower()[:200]
    for spoken, sign in _SPOKEN:
        line = line.replace(spoken, sign)
    line = re.sub(r"(\d),(?=\d{2,3}\b)", r"\1", line)
    line = re.sub(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s*of\s*(\d+(?:\.\d+)?)", r"(\1/100*\2)", line)
    match = re.search(r"[-(]*\s*\d[\d\s.()+\-*/%]*[-+*/%][\d\s.()+\-*/%]*[\d)]", line)
    if match is None or re.fullmatch(r"[\d\s]+-[\d\s]+-[\d\s]+", match.group()):
        return None
    try:
        value = _evaluate(ast.parse(match.group().strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None
    return value if abs(value) < 1e15 else None


def _evaluate(node: ast.AST) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) < 1e15:
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Pow):
            if abs(right) > 64 or abs(left) > 1e6:
                raise ValueError("too large")
            return float(left**right)
        if type(node.op) in _SUMS:
            return _SUMS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _SUMS:
        return _SUMS[type(node.op)](_evaluate(node.operand))
    raise ValueError("not a sum")


def _answer_sum(last: str) -> str | None:
    value = calculate(last)
    if value is None or (
        len(words(last)) > 12 and not re.search(r"\b(?:what|how much|calculate|compute)\b", last.lower())
    ):
        return None
    return f"That is {round(value, 6):,.10g}."


def recall_facts(texts: Sequence[str]) -> dict[str, str]:
    """Statements of users about themselves, by topic: name, home, work, likes and "my … is …"; the latest wins."""
    facts: dict[str, str] = {}
    stop = r"(?=[.,;!?\n]| and | but |$)"
    for text in texts:
        for key, pattern in (
            ("name", rf"\b(?:my name is|my name's|call me|i am called|this is)\s+([^\W\d_][\w'’ -]{{0,40}}?){stop}"),
            ("name", r"\b(?:I am|I'm|i am|i'm)\s+([A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)\b"), ("name", r"मेरा नाम\s+(\S+)"),
            ("home", rf"\bi(?: am|'m)? (?:live in|come from|from|based in)\s+(.{{2,40}}?){stop}"),
            ("work", rf"\bi (?:work as|am working as)\s+(.{{2,40}}?){stop}"), ("likes", rf"\bi (?:really )?(?:like|love|enjoy)\s+(.{{2,60}}?){stop}"),
        ):  # fmt: skip
            flags = 0 if "[A-Z]" in pattern else re.IGNORECASE
            for found in re.findall(pattern, text, flags):
                facts[key] = found.strip()
        for thing, value in re.findall(
            rf"\bmy ([a-z][a-z ]{{1,30}}?) (?:is|are|was)\s+(.{{1,60}}?){stop}", text, re.IGNORECASE
        ):
            facts[thing.lower().strip()] = value.strip()
    return facts


def _answer_memory(last: str, earlier: Sequence[str], messages: Sequence[ChatMessage]) -> str | None:
    low = last.lower()
    if re.search(
        r"\bwhat did (?:i|you) (?:just )?(?:say|ask|write)|\bmy (?:last|first|previous) (?:message|question)", low
    ):
        wanted = [m.content for m in messages[:-1] if m.role == ("assistant" if "did you" in low else "user")]
        if not wanted:
            return "Nothing yet: this is where our conversation begins."
        return f"{'I' if 'did you' in low else 'You'} said: “{(wanted[0] if 'first' in low else wanted[-1])[:400]}”"
    if re.search(r"\b(?:summari[sz]e|recap)\b.*\b(?:conversation|chat|discussion|so far)\b", low):
        return (
            "So far you said:\n" + "\n".join(f"- {text[:160]}" for text in earlier[-8:])
            if earlier
            else "We have only just begun."
        )
    facts = recall_facts(earlier)
    asked = re.search(r"\bwh(?:at|o|en|ere)(?:'s| is| are| was)? my ([a-z][a-z ]{1,30})", low) or re.search(
        r"\b(?:remember|know|recall|tell me) my ([a-z][a-z ]{1,30})", low
    )
    key = asked.group(1).strip() if asked else None
    if re.search(r"\bwho am i\b|मेरा नाम क्या", low):
        key = "name"
    elif re.search(r"\bwhere (?:do i live|am i from)\b", low):
        key = "home"
    elif re.search(r"\bwhat do i (?:like|love|enjoy)\b", low):
        key = "likes"
    elif re.search(r"\bwhat (?:do i do|is my (?:job|work|profession))\b", low):
        key = "work"
    if key is None:
        return None
    told = {
        "name": "Your name is {}.",
        "home": "You said you are at home in {}.",
        "likes": "You like {}.",
        "work": "You work as {}.",
    }
    if key in facts:
        return told.get(key, f"You said your {key} is {{}}.").format(facts[key])
    return f"You have not told me your {key} in the messages I can see."


def _answer_date(last: str) -> str | None:
    low = last.lower()
    now = datetime.now(UTC)
    if re.search(r"\bwhat(?:'s| is)? (?:the )?(?:time|hour)\b|\bwhat time\b", low):
        return f"It is {now:%H:%M} UTC."
    if (
        re.search(r"\b(?:what|which)(?:'s| is)?\b.*\b(?:date|day|year|month)\b(?!.*\bmy\b)|\btoday's date\b", low)
        and len(low) < 60
    ):
        return f"Today is {now:%A}, {now.day} {now:%B %Y} (UTC)."
    return None


def _answer_small_talk(last: str, earlier: Sequence[str]) -> str | None:
    low = last.lower().strip(" .!?")
    name = recall_facts([*earlier, last]).get("name")
    if (
        re.match(r"(?:hi|hello|hey|good (?:morning|evening|afternoon)|namaste|नमस्ते|hola|bonjour)\b", low)
        and len(low) < 80
    ):
        tail = " What would you like to do?" if not earlier else " Shall we go on?"
        return f"Hello{', ' + name if name else ''}! I am the local sketch: I can write short texts, remember what you tell me here, and do sums.{tail}"
    if re.match(r"(?:thanks|thank you|thx|धन्यवाद|शुक्रिया)\b", low):
        return f"You are welcome{', ' + name if name else ''}!"
    if re.match(r"(?:bye|goodbye|see you)\b", low):
        return f"Goodbye{', ' + name if name else ''}!"
    if re.search(r"\b(?:who|what) are you\b|\bwhat can you do\b", low):
        return (
            "I am the local sketch of this installation: no AI model, only templates and the words in front of me. I can summarise a "
            "text you paste, draft e-mails, headlines, posts and outlines, do sums, and remember what you said above."
        )
    match = re.match(r"(?:say|repeat(?: after me)?)[: ]+(.+)", last.strip(), re.IGNORECASE | re.DOTALL)
    return match.group(1).strip(" \"'")[:2000] if match else None


def _acknowledge_facts(last: str) -> str | None:
    if last.rstrip().endswith("?"):
        return None
    facts = recall_facts([last])
    if not facts:
        return None
    said = [f"your name is {v}" if k == "name" else f"you are at home in {v}" if k == "home" else f"you like {v}" if k == "likes"
            else f"you work as {v}" if k == "work" else f"your {k} is {v}" for k, v in facts.items()]  # fmt: skip
    greeting = f"Nice to meet you, {facts['name']}! " if "name" in facts else ""
    return f"{greeting}I will remember that {' and that '.join(said)}."


def _answer_from_context(last: str, earlier: Sequence[str]) -> str | None:
    """Answer a question about an earlier statement with its sentence."""
    asked = set(keywords(last, 8))
    if not asked or not re.search(r"\?|\b(?:what|who|where|when|why|how|which|tell)\b", last.lower()):
        return None
    known = [sentence for text in earlier for sentence in sentences(text) if not sentence.rstrip().endswith("?")]
    score, best = max(
        ((len(asked & set(words(s))) / len(asked), s) for s in known), default=(0.0, ""), key=lambda pair: pair[0]
    )
    return f"You said: “{best[:400]}”" if score >= 0.5 else None


def _listen(last: str, earlier: Sequence[str]) -> str:
    topics = keywords(last, 3)
    rng = dice(last)
    if not topics:
        return rng.choice(("Tell me a little more, please.", "I am listening. What is it about?"))
    about = topics[0] if len(topics) == 1 else ", ".join(topics[:-1]) + " and " + topics[-1]
    before = [word for word in keywords(" ".join(earlier), 5) if word not in topics][:1]
    link = f" You spoke of {before[0]} before; does that belong to it?" if before else ""
    if last.rstrip().endswith("?"):
        return (
            f"You ask about {about}. I do not know the answer: I am a local sketch without a model, and I will not invent one.{link} "
            "I can outline it, list ideas, or summarise a text you paste."
        )
    follow = rng.choice(
        ("What matters most to you about it?", "What would a good result look like?", "What have you tried so far?")
    )
    return f"I noted: {about}.{link} {follow} I can also turn it into a list, an e-mail or an outline."
