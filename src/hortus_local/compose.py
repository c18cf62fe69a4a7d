"""Short texts of known kinds, filled from a prompt. English, and honest about being a sketch."""

import hashlib
import random
import re
from collections.abc import Callable

from hortus_local.extract import body_of, keywords, sentences, summarise, topic_of, words

_Writer = Callable[[str, str, random.Random], str]


def compose(prompt: str) -> str | None:
    """The requested text, or None for a kind of text without a template."""
    lowered = prompt[:400].lower()
    for pattern, write in _KINDS:
        if re.search(pattern, lowered):
            return write(prompt, topic_of(prompt), dice(prompt))
    return None


def dice(prompt: str) -> random.Random:
    """Randomness that belongs to the prompt."""
    return random.Random(hashlib.sha256(prompt.encode("utf-8", "ignore")).digest())  # noqa: S311 - no secret


def improve_prompt(prompt: str, about: str = "") -> str:
    """The same prompt with the details that a model needs: light, framing and style for images, form for texts."""
    brief = re.sub(
        r"^(?:please |improve|enhance|rewrite|make|this|my|the|better|prompt|:|\s)+(?=\w)",
        "",
        prompt,
        flags=re.IGNORECASE,
    )
    brief = (body_of(prompt) or brief or prompt).strip(" \"'\n.")
    rng = dice(brief)
    hint = (about + " " + prompt).lower()
    subject = brief[:1].upper() + brief[1:]
    if re.search(r"\b(video|film|clip|animation|footage)\b", hint):
        return (
            f"{subject}. {rng.choice(('Slow dolly in', 'Smooth tracking shot', 'Gentle aerial glide'))}, "
            f"{rng.choice(('golden hour light', 'soft morning light', 'dramatic side light'))}, natural movement in the "
            f"foreground and calm depth behind, steady pace, one continuous shot, {rng.choice(('warm', 'cinematic teal and amber', 'rich natural'))} colours."
        )  # fmt: skip
    if re.search(r"\b(image|picture|photo|painting|draw|illustration|portrait|art|visual|logo|wallpaper)\b", hint):
        return (
            f"{subject}, {rng.choice(('clear focal point', 'balanced composition by the rule of thirds', 'centred composition with room to breathe'))}, "
            f"{rng.choice(('soft golden-hour light', 'diffused window light', 'dramatic rim light'))}, "
            f"{rng.choice(('shallow depth of field', 'layered foreground and background', 'wide view with fine detail'))}, "
            f"{rng.choice(('harmonious warm palette', 'rich complementary colours', 'muted natural palette'))}, highly detailed, crisp texture."
        )
    ask = (
        brief
        if re.match(r"(?:write|explain|list|describe|summari|compare|create|draft|give|tell)", brief.lower())
        else f"Write about {brief}"
    )
    return (
        f"{ask[:1].upper() + ask[1:]}. Write for {rng.choice(('a curious reader who is new to the subject', 'a busy professional'))}, "
        f"in a {rng.choice(('friendly, precise', 'warm and confident', 'clear and direct'))} tone. Begin with the main point, "
        "use short paragraphs with one concrete example each, avoid jargon, and end with one practical next step. "
        "Keep it under 300 words."
    )


def _number(prompt: str, usual: int, most: int = 12) -> int:
    match = re.search(r"\b(\d{1,2})\b", prompt[:200])
    named = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "ten": 10}
    told = (
        int(match.group(1))
        if match
        else next((n for w, n in named.items() if re.search(rf"\b{w}\b", prompt[:200].lower())), usual)
    )
    return min(max(told, 1), most)


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _title(text: str) -> str:
    small = {"a", "an", "the", "of", "for", "and", "in", "on", "to", "with", "your"}
    parts = text.split()
    return " ".join(p if p in small and i else _cap(p) for i, p in enumerate(parts))


def _pick(rng: random.Random, choices: list[str], count: int) -> list[str]:
    rng.shuffle(choices)
    return choices[:count]


def _write_summary(prompt: str, topic: str, rng: random.Random) -> str:
    body = body_of(prompt)
    if not body:
        return "Paste the text after your request, and I will pick out the sentences that carry most of it."
    chosen = summarise(body, _number(prompt.partition(body[:30])[0], 3, 8))
    if re.search(r"bullet|point|list", prompt[:200].lower()):
        return "\n".join(f"- {sentence}" for sentence in chosen)
    return " ".join(s if s[-1] in ".!?।…" else s + "." for s in chosen)


def _write_keywords(prompt: str, topic: str, rng: random.Random) -> str:
    found = keywords(body_of(prompt) or topic, _number(prompt, 8))
    if "hashtag" in prompt.lower():
        return " ".join("#" + word.replace("-", "").replace("'", "") for word in found) or "#hello"
    return ", ".join(found) or "There are no telling words in it."


def _write_headlines(prompt: str, topic: str, rng: random.Random) -> str:
    t = _title(topic)
    lines = _pick(rng, [
        f"{t}: What Changes When You Start Small", f"The Quiet Power of {t}", f"{t}, Explained in Five Minutes",
        f"Why {t} Matters More Than You Think", f"A Beginner's Guide to {t}", f"{t} Without the Hassle",
        f"What Nobody Tells You About {t}", f"7 Lessons From {t}", f"How {t} Can Make Your Week Easier", f"Rethinking {t}",
    ], _number(prompt, 5))  # fmt: skip
    return "\n".join(f"{i + 1}. {line}" for i, line in enumerate(lines)) if len(lines) > 1 else lines[0]


def _write_taglines(prompt: str, topic: str, rng: random.Random) -> str:
    named = re.search(r"(?:called|named)\s+[\"']?([\w&' -]{2,40})", prompt)
    name = named.group(1).strip(" '\"") if named else _title(re.sub(r"^(?:your|an?|the)\s+", "", topic))
    lines = _pick(rng, [
        f"{name}. Made with care, made for you.", f"Good days start with {name}.", f"{name}: less effort, more joy.",
        f"Come for the idea. Stay for {name}.", f"{name}. Simply better.", f"Small things, done well: {name}.",
        f"{name}, because you notice the difference.", f"Life tastes better with {name}.", f"{name}. Feel at home.",
    ], _number(prompt, 5, 9))  # fmt: skip
    return "\n".join(f"{i + 1}. {line}" for i, line in enumerate(lines)) if len(lines) > 1 else lines[0]


def _write_email(prompt: str, topic: str, rng: random.Random) -> str:
    who = re.search(
        r"\bto (?:my |the |our )?(\w+(?: \w+)?)\b(?= (?:about|for|asking|saying|to|that|regarding)|[.,]|$)", prompt
    )
    reader = _cap(who.group(1)) if who else "there"
    return (
        f"Subject: {_cap(topic)}\n\nHello {reader},\n\n"
        f"{rng.choice(('I hope you are well.', 'I hope your week is going well.'))} I am writing about {topic}.\n\n"
        "In short:\n- what it is about and why now: [one sentence]\n- what I would like from you: [one clear request]\n"
        "- by when: [date]\n\n"
        f"{rng.choice(('If anything is unclear, I am glad to talk it through.', 'Please tell me if another time suits you better.'))}\n\n"
        f"{rng.choice(('Kind regards', 'Best wishes', 'With thanks'))},\n[Your name]"
    )


def _write_list(prompt: str, topic: str, rng: random.Random) -> str:
    lines = _pick(rng, [
        f"Start with the smallest part of {topic} that is useful by itself.", "Write down what a good result looks like before you begin.",
        f"Ask three people what they find hardest about {topic}.", "Set a fixed time for it, short and regular.",
        "Keep a list of what worked, and do more of that.", f"Look at two good examples of {topic} and note what they share.",
        "Remove one thing that does not help.", "Share a rough version early; comments are cheapest then.",
        "Measure one number that tells you whether it gets better.", f"Teach somebody else what you know about {topic}.",
        "Plan the first step so small that you can do it today.", "Review once a week and change one thing at a time.",
    ], _number(prompt, 5))  # fmt: skip
    return f"{_cap(topic)}:\n\n" + "\n".join(f"{i + 1}. {line}" for i, line in enumerate(lines))


def _write_post(prompt: str, topic: str, rng: random.Random) -> str:
    tags = " ".join(f"#{word.replace('-', '')}" for word in keywords(topic, 3)) or "#today"
    opening = rng.choice((f"Let's talk about {topic}.", f"{_cap(topic)}? Yes, please.", f"Today is all about {topic}."))
    middle = rng.choice(
        (
            "We put our heart into it, and we think you will feel it.",
            "Small steps, real difference.",
            "One look and you will know why we love it.",
        )
    )
    return f"{opening} {middle} {rng.choice(('What do you think?', 'Tell us below!', 'Come and see.'))}\n\n{tags}"


def _write_poem(prompt: str, topic: str, rng: random.Random) -> str:
    t = re.sub(r"^(?:your|the|an?)\s+", "", topic).lower()
    if "haiku" in prompt.lower():
        return f"{_cap(t)} at first light\na breath held between two hours\nand the day begins"
    return "\n".join([
        f"I came to look for {t}", rng.choice(("one early, quiet day,", "when all the town lay still,")),
        rng.choice(("and found it where the light begins", "and found it in the turning leaves")), rng.choice(("to show the hidden way.", "upon a little hill.")), "",
        "It asked for nothing I could give,", rng.choice(("no hurry and no art,", "no promise and no part,")), f"but left a little of {t}", "at rest within my heart.",
    ])  # fmt: skip


def _write_story(prompt: str, topic: str, rng: random.Random) -> str:
    name, place = (
        rng.choice(("Mira", "Tom", "Asha", "Leo", "Noor")),
        rng.choice(("a town by the river", "the last house on the lane", "a small room above the market")),
    )
    return (
        f"In {place} lived {name}, who thought of little else but {topic}. Everybody had advice; nobody had time.\n\n"
        f"One evening a letter came without a stamp. It said only: “Begin before you are ready.” {name} laughed, then did.\n\n"
        f"The first attempt failed, and so did the second. On the third, something held. By morning the neighbours stood at "
        f"the window, and {topic} was no longer an idea but a thing with a shadow.\n\n{name} kept the letter. Years later, "
        "it went on to somebody else, without a stamp."
    )


def _write_article(prompt: str, topic: str, rng: random.Random) -> str:
    t = _title(topic)
    return (
        f"# {t}\n\n{_cap(topic)} is easier to judge once you see what it is for. This outline gives the shape; the facts are yours to add.\n\n"
        f"## Why it matters\nWho is better off with {topic}, and what happens to them without it? Name one person and one moment.\n\n"
        f"## How it works\nThree steps at most. For each: what goes in, what comes out, and what can go wrong.\n\n"
        f"## What to watch\n{rng.choice(('The cost nobody mentions', 'The habit that has to change'))}, and the sign that tells you early.\n\n"
        f"## Where to begin\nOne thing the reader can do today about {topic}, in under ten minutes."
    )


def _write_product(prompt: str, topic: str, rng: random.Random) -> str:
    t = re.sub(r"^your\s+", "", topic)
    return (
        f"Meet {t}. {rng.choice(('Made for everyday use, built to last.', 'Thoughtful in every detail.'))}\n\n"
        f"- {rng.choice(('Ready in seconds', 'Feels right from the first touch'))}\n- {rng.choice(('Made of honest materials', 'Easy to care for'))}\n"
        f"- {rng.choice(('Fits where you need it', 'A gift people keep'))}\n\nTry {t} today, and see how little it takes to make a day better."
    )


def _write_script(prompt: str, topic: str, rng: random.Random) -> str:
    return (
        f"Hello, and welcome! Today I want to tell you about {topic}. {rng.choice(('Here is why it is worth a minute of your time.', 'It is simpler than you may think.'))} "
        "First, it saves you effort. Second, it is made with care. And third, you can start right away. "
        f"{rng.choice(('Thank you for watching, and see you soon!', 'Try it today, and tell me how it went!'))}"
    )


def _write_pros(prompt: str, topic: str, rng: random.Random) -> str:
    return (
        f"{_cap(topic)}\n\nFor:\n- it can save time once it is in place\n- it is easy to try on a small scale\n- others have done it, so there are examples\n\n"
        "Against:\n- it takes attention at the start\n- the benefit is hard to measure early\n- it ties you to a choice\n\n"
        "A fair test: try it for two weeks with one clear number to watch."
    )


def _write_polished(prompt: str, topic: str, rng: random.Random) -> str:
    body = body_of(prompt)
    if not body:
        return "Paste the text after your request (after a colon), and I will tidy it."
    text = re.sub(r"\b(\w+)( \1\b)+", r"\1", re.sub(r"[ \t]+", " ", body), flags=re.IGNORECASE)
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\bi\b", "I", text))
    for plain, better in (
        ("utilize", "use"),
        ("in order to", "to"),
        ("very ", ""),
        ("due to the fact that", "because"),
        ("at this point in time", "now"),
        ("teh", "the"),
        ("dont", "don't"),
        ("cant", "can't"),
    ):
        text = re.sub(rf"\b{plain}\b" if not plain.endswith(" ") else rf"\b{plain}", better, text)
    return " ".join(_cap(s) if s[-1] in ".!?।…" else _cap(s) + "." for s in sentences(text))


def _refuse_translation(prompt: str, topic: str, rng: random.Random) -> str:
    return "I cannot translate: the local sketch knows no second language. Choose a connected model for this."


def _count(prompt: str, topic: str, rng: random.Random) -> str:
    body = body_of(prompt) or prompt
    return f"{len(words(body))} words, {len(body)} characters, {len(sentences(body))} sentences."


_KINDS: tuple[tuple[str, _Writer], ...] = (
    (r"\btranslat|\binto (?:hindi|french|spanish|german|tamil|chinese|japanese)\b", _refuse_translation),
    (r"\bsummar|\btl;?dr\b|\bshorten\b|\bkey points\b|\bmain points\b|\bcondense\b|सारांश", _write_summary),
    (r"\bhashtags?\b|\bkeywords?\b", _write_keywords),
    (r"\b(?:count|how many) (?:the )?(?:words|characters|sentences)\b", _count),
    (r"\b(?:proofread|polish|rewrite|rephrase|fix (?:the |my )?(?:grammar|spelling)|correct|improve (?:this|my|the) (?:text|sentence|paragraph|writing))\b", _write_polished),
    (r"\btag ?lines?\b|\bslogans?\b|\bmottos?\b", _write_taglines),
    (r"\bheadlines?\b|\btitles?\b|\bsubject lines?\b", _write_headlines),
    (r"\be-?mail\b|\bletter\b", _write_email),
    (r"\bproduct description\b|\bdescri(?:be|ption).*\bproduct\b|\badvert|\bad copy\b", _write_product),
    (r"\bpros and cons\b|\bcompare\b|\badvantages\b", _write_pros),
    (r"\bscript\b|\bvoice-?over\b|\bpitch\b", _write_script),
    (r"\bblog\b|\barticle\b|\bessay\b|\boutline\b|\breport\b", _write_article),
    (r"\bcaption\b|\btweet\b|\bsocial\b|\binstagram\b|\blinkedin\b|\bpost\b", _write_post),
    (r"\bpoem\b|\bhaiku\b|\bverse\b|\bsong\b", _write_poem),
    (r"\bstory\b|\btale\b", _write_story),
    (r"\bideas?\b|\btips\b|\blist\b|\bways to\b|\bsteps\b|\bsuggest", _write_list),
)  # fmt: skip
