"""Keywords, sentences and topics of a text, by word counts."""

import re
from collections import Counter

MAX_READ = 20_000
"""Characters of any one text that are looked at."""

_COMMON = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "please",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yours",
        "i'm",
        "it's",
        "don't",
        "let's",
        "get",
        "got",
        "make",
        "made",
        "one",
        "two",
        "like",
        "really",
        "much",
        "many",
        "write",
        "give",
        "tell",
        "show",
        "create",
        "generate",
        "need",
        "want",
        "help",
        "है",
        "हैं",
        "का",
        "की",
        "के",
        "को",
        "में",
        "से",
        "और",
        "पर",
        "यह",
        "वह",
        "एक",
        "था",
        "थी",
        "थे",
        "हो",
        "ही",
        "भी",
        "तो",
        "ने",
        "कि",
        "जो",
        "लिए",
    ]
)


def sentences(text: str) -> list[str]:
    """The sentences, in order; line ends count as ends."""
    parts = re.split(r"(?<=[.!?।…])[\"'”’)\]]*\s+|\n+", text[:MAX_READ])
    return [part.strip(" \t-•*#>") for part in parts if re.search(r"\w", part)]


def words(text: str) -> list[str]:
    """The words, in lower case, with their marks of vowels (as in Devanagari)."""
    return re.findall(r"[^\W_](?:[\w'’\u0900-\u097f-]*[\w\u0900-\u097f])?", text[:MAX_READ].lower())


def keywords(text: str, count: int) -> list[str]:
    """The words a text is about, most frequent first; the earlier wins a draw."""
    tally = Counter(word for word in words(text) if word not in _COMMON and len(word) > 2 and not word.isdigit())
    return [word for word, _ in tally.most_common(count)]


def summarise(text: str, count: int) -> list[str]:
    """The `count` sentences that carry most of the frequent words, in their own order."""
    found = sentences(text)
    if len(found) <= count:
        return found
    tally = Counter(word for word in words(text) if word not in _COMMON and len(word) > 2)
    top = max(tally.values(), default=1)

    def weight(i: int) -> float:
        inside = {word for word in words(found[i]) if word in tally}
        value = sum(tally[word] / top for word in inside) / (len(inside) ** 0.5 + 1.5)
        return float(value) * (1.15 if i == 0 else 1.0)

    best = sorted(range(len(found)), key=lambda i: (-weight(i), i))[:count]
    return [found[i] for i in sorted(best)]


def topic_of(prompt: str) -> str:
    """The topic of a request: the words after "about", "for" or "on", else the request without its verb."""
    line = re.sub(r"\s+", " ", prompt[:600]).strip(" .!?\"'")
    match = re.search(r"\b(?:about|regarding|on the topic of|entitled|titled|describing)\s+(.+)", line, re.IGNORECASE)
    match = match or re.search(r"\b(?:for|on|of|to|why|how)\s+(.+)", line, re.IGNORECASE)
    topic = match.group(1) if match else re.sub(
        r"^(?:please |can you |could you |kindly )*(?:write|give|make|create|generate|suggest|explain|describe|draft|tell me|"
        r"what (?:is|are)|who is|list)\s+(?:me |us )?(?:an? |the |some |\d+ )?", "", line, flags=re.IGNORECASE)  # fmt: skip
    topic = re.split(r"[.!?\n;]|, (?:and|with|in|use|make)\b| in (?:a |an )?\w+ (?:tone|words|style)", topic)[0]
    topic = re.sub(r"\bmy\b", "your", re.sub(r"\bour\b", "your", topic, flags=re.IGNORECASE), flags=re.IGNORECASE)
    return topic.strip(" ,:\"'")[:120] or "this"


def body_of(prompt: str) -> str:
    """The text that a request contains: quoted, or after a colon or an empty line; empty without one."""
    quoted = re.findall(r"[\"“”«»]([^\"“”«»]{20,})[\"“”«»]|```(.+?)```", prompt[:MAX_READ], re.DOTALL)
    if quoted:
        return max(("".join(pair) for pair in quoted), key=len).strip()
    for mark in ("\n", ":"):
        head, found, tail = prompt[:MAX_READ].partition(mark)
        if found and len(head) < 200 and len(words(tail)) >= 4:
            return tail.strip()
    return ""
