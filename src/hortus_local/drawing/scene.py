"""The scene of a prompt: subject, setting, extras and colours, found by its words."""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hortus_local.drawing.palette import Palette, choose_palette

if TYPE_CHECKING:
    import numpy as np

_SETTINGS = {
    "space": "space galaxy planet planets nebula universe cosmos cosmic astronaut rocket spaceship saturn mars orbit",
    "mountain": "mountain mountains alps himalaya himalayas peak peaks hill hills valley landscape volcano cliff fuji hike "
                "hiking glacier snow winter",
    "sea": "sea ocean beach coast coastal wave waves island harbour harbor boat boats ship sail sailing sailboat lake "
           "river water lighthouse fish whale dolphin surf underwater pond marina",
    "city": "city cityscape town street skyline building buildings skyscraper skyscrapers urban downtown tokyo paris london "
            "mumbai delhi york office cyberpunk tower bridge neon metropolis startup",
    "forest": "forest wood woods jungle tree trees pine pines bamboo woodland fairy fairytale",
    "desert": "desert dune dunes sand sahara camel pyramid pyramids oasis canyon egypt",
    "field": "field fields meadow farm countryside grass prairie village lavender garden park barn nature autumn spring "
             "sunset sunrise dawn sky cloud clouds horizon night moon rain storm house cottage cabin castle windmill home",
}  # fmt: skip
_SUBJECTS = {
    "portrait": "portrait woman man girl boy person face lady gentleman people human selfie headshot model king queen prince "
                "princess mother father child student teacher doctor engineer founder actor actress singer he she avatar "
                "character speaker presenter baby friend wizard warrior",
    "flower": "flower flowers rose roses tulip tulips bouquet blossom daisy sunflower sunflowers lily orchid lotus petal "
              "petals poppy poppies floral bloom marigold hibiscus",
    "still": "still fruit fruits apple apples orange oranges lemon lemons pear pears vase bowl cup coffee tea mug bottle "
             "kitchen table breakfast food cake product perfume candle teapot pot wine glass jar book books mango cosmetics",
    "abstract": "abstract pattern geometric shapes texture background wallpaper fractal gradient marble swirl swirls logo "
                "music emotion idea concept energy flow fluid",
}  # fmt: skip
_ANIMALS = {
    "cat": "cat cats kitten kitty", "dog": "dog dogs puppy", "horse": "horse horses pony unicorn",
    "bird": "bird birds eagle crow raven parrot sparrow robin owl", "deer": "deer stag elk reindeer moose",
    "elephant": "elephant elephants", "fox": "fox foxes wolf wolves", "fish": "fish fishes whale dolphin shark goldfish",
    "bear": "bear bears panda", "rabbit": "rabbit rabbits bunny hare", "lion": "lion lions tiger tigers leopard",
}  # fmt: skip
_EXTRAS = {
    "house": "house cottage cabin barn hut farm village", "boat": "boat boats ship sail sailing sailboat regatta",
    "lighthouse": "lighthouse", "balloon": "balloon balloons", "castle": "castle palace fortress",
    "rain": "rain rainy storm", "snow": "snow snowy snowing snowfall christmas winter",
    "birds": "birds gulls seagulls flock", "tree": "tree oak willow lonely lone", "blossom": "blossom sakura cherry spring",
    "bridge": "bridge", "windmill": "windmill",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene to draw. `words` are the prompt's, in order; `seed` makes every take its own."""

    words: tuple[str, ...]
    subject: str
    setting: str
    animal: str | None
    extras: frozenset[str]
    palette: Palette
    seed: int

    def has(self, *words: str) -> bool:
        """Whether the prompt contains any of these words."""
        return not set(words).isdisjoint(self.words)

    def dice(self, salt: int = 0) -> "np.random.Generator":
        """Randomness that is the same for the same scene."""
        import numpy as np  # noqa: PLC0415 - a scene is read without NumPy too

        return np.random.default_rng([self.seed, salt])


def read_scene(prompt: str, color: str | None, take: int = 0) -> Scene:
    """Understand a prompt by its words. Any text gives a scene; the same text gives the same one."""
    words = re.findall(r"[^\W_]+", prompt.lower()[:4000])
    digest = hashlib.sha256(f"{prompt}|{take}".encode()).digest()
    number = int.from_bytes(digest[:6], "big")
    animal = next((name for word in words for name, known in _ANIMALS.items() if word in known.split()), None)
    subject = _first(words, _SUBJECTS)
    setting = _most(words, _SETTINGS)
    extras = frozenset(name for name, known in _EXTRAS.items() if not set(known.split()).isdisjoint(words))
    if animal and subject in {None, "portrait"}:
        subject = "animal"
        setting = setting or ("sea" if animal == "fish" else "field")
    subject = subject or ("landscape" if setting else "abstract")
    if subject == "flower" and setting in {"mountain", "sea", "city"}:
        subject = "landscape"
    return Scene(tuple(words), subject, setting or "field", animal, extras, choose_palette(words, color), number)


def _first(words: list[str], table: dict[str, str]) -> str | None:
    """The kind of the first word that names one."""
    return next((kind for word in words for kind, known in table.items() if word in known.split()), None)


def _most(words: list[str], table: dict[str, str]) -> str | None:
    """The kind most words speak for; the earlier in the table wins a draw."""
    scores = {kind: sum(word in known.split() for word in words) for kind, known in table.items()}
    best = max(scores, key=lambda kind: scores[kind])
    return best if scores[best] else None
