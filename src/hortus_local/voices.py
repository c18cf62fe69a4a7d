"""The languages and voices of espeak-ng, read from its data files, without loading the library."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

FAMILIES = {"zh": "cmn", "no": "nb", "tl": "en", "fil": "en", "iw": "he", "in": "id", "en": "en-us", "pt-br": "pt-br"}
FEMALE = {"female", "woman", "girl", "f", "alloy", "nova", "shimmer", "aria", "priya", "asha", "maya", "emma"}
MALE = {"male", "man", "boy", "m", "onyx", "echo", "fable", "arjun", "ravi", "james", "david"}


def names_of(language: str) -> tuple[str, str, str]:
    """The names of a language to try, the closest first."""
    tag = language.strip().lower().replace("_", "-") or "en"
    family = tag.split("-", maxsplit=1)[0]
    return FAMILIES.get(tag, tag), FAMILIES.get(family, family), family


@cache
def known() -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]] | None:
    """The languages, the voices offered and the others espeak-ng has; None where it is not installed."""
    found = find_spec("espeakng_loader")
    if found is None or not found.submodule_search_locations:
        return None
    data = Path(found.submodule_search_locations[0]) / "espeak-ng-data"
    tags = {path.name.lower() for path in (data / "lang").rglob("*") if path.is_file()}
    families = {tag.partition("-")[0] for tag in tags} | set(FAMILIES)
    variants = {path.name.lower() for path in (data / "voices" / "!v").iterdir()}
    return tuple(sorted(tags | families)), tuple(sorted(FEMALE | MALE)), frozenset(variants)
