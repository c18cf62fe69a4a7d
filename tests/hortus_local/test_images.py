"""Images drawn and changed by the local provider."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import hortus
from hortus.core.http import Http
from hortus.providers.base import Context, ImageRequest, Media, Output, Rejected, Unsupported
from hortus_local import Adapter
from hortus_local.drawing.canvas import Canvas
from hortus_local.drawing.draw import draw
from hortus_local.drawing.render_style import find_style, watercolour
from hortus_local.drawing.scene import read_scene
from hortus_local.drawing.sky import paint_sky
from hortus_local.portrait import draw_portrait

PORTRAIT = Path(hortus.__file__).parent / "assets" / "portrait.png"
PHOTO = Media(PORTRAIT.read_bytes(), "image/png")


@pytest.fixture
async def adapter(tmp_path: Path):
    async with Http() as http:
        yield Adapter(Context(http, tmp_path))


async def images(adapter: Adapter, tmp_path: Path, **changes) -> list[Image.Image]:
    usual = {"id": "g", "model": "sketch-image", "timeout": 60, "workdir": tmp_path, "operation": "image.generate"}
    request = ImageRequest(**{**usual, "prompt": "a cat by the sea", "width": 240, "height": 130, **changes})
    paths = [event.content async for event in adapter.generate(request) if isinstance(event, Output)]
    return [Image.open(io.BytesIO(path.read_bytes())) for path in paths]


async def test_images_have_the_size_asked_for_and_differ(adapter: Adapter, tmp_path: Path):
    made = await images(adapter, tmp_path, count=3)
    assert [(p.size, p.format) for p in made] == [((240, 130), "PNG")] * 3
    assert len({p.tobytes() for p in made}) == 3


async def test_the_largest_image_and_the_smallest(adapter: Adapter, tmp_path: Path):
    (large,) = await images(adapter, tmp_path, width=2048, height=2048)
    (small,) = await images(adapter, tmp_path, width=16, height=2048)
    assert (large.size, small.size) == ((2048, 2048), (16, 2048))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "💥",
        "पहाड़ों पर सूर्योदय",
        "portrait of a bearded man",
        "a rose",
        "coffee",
        "city at night in the rain",
        "desert camel",
        "planet",
        "forest fox",
        "fish",
        "castle",
        "balloons over mountains",
        "geometric shapes",
        "x" * 4000,
    ],
)
def test_any_prompt_draws_the_same_image_twice(prompt: str):
    first, second = draw(prompt, 160, 90), draw(prompt, 160, 90)
    assert first.shape == (90, 160, 3)
    assert (first == second).all()
    assert first.std() > 8  # it is not one flat colour


@pytest.mark.parametrize(
    "style",
    ["photographic", "watercolour", "oil", "line-art", "pixel", "comic", "minimal", "anime", "neon", "zorblax", "🎨"],
)
def test_every_style_looks_different(style: str):
    plain, styled = (draw("mountain lake", 200, 200, style=s).astype(int) for s in (None, style))
    assert (np.abs(plain - styled).mean() > 1) == (style != "photographic")


def test_a_skyline_is_no_line_drawing():
    assert find_style("a city skyline") is None
    assert find_style("Watercolor of a cat") is watercolour


def test_colour_decides_the_mood():
    def hue(color: str) -> np.ndarray:
        return draw("hills", 120, 120, color=color).reshape(-1, 3).mean(axis=0)

    assert hue("blue")[2] > hue("red")[2]
    assert hue("#ff0000")[0] > hue("blue")[0]


@pytest.mark.parametrize(
    ("prompt", "subject", "setting"),
    [
        ("A mountain lake", "landscape", "mountain"),
        ("a deer in the forest", "animal", "forest"),
        ("red roses", "flower", "field"),
        ("portrait of a queen", "portrait", "field"),
        ("productivity", "abstract", "field"),
        ("Tokyo at night", "landscape", "city"),
    ],
)
def test_the_prompt_decides_what_is_seen(prompt: str, subject: str, setting: str):
    scene = read_scene(prompt, None)
    assert (scene.subject, scene.setting) == (subject, setting)


async def test_editing_keeps_or_doubles_the_size(adapter: Adapter, tmp_path: Path):
    for operation, side in (("restyle", 768), ("enhance", 768), ("upscale", 1536), ("remove_background", 768)):
        folder = tmp_path / operation
        folder.mkdir()
        (made,) = await images(adapter, folder, operation=f"image.{operation}", source=PHOTO, style="comic")
        assert made.size == (side, side)
        assert made.convert("RGB").resize((768, 768)).tobytes() != Image.open(PORTRAIT).tobytes()


async def test_the_background_goes_and_the_person_stays(adapter: Adapter, tmp_path: Path):
    (made,) = await images(adapter, tmp_path, operation="image.remove_background", source=PHOTO)
    alpha = np.asarray(made.getchannel("A"))
    assert alpha[:140, :140].mean() < 20
    assert alpha[:140, -140:].mean() < 20
    assert alpha[250:450, 300:460].mean() > 240


async def test_a_large_image_is_not_upscaled_past_the_cap(adapter: Adapter, tmp_path: Path):
    out = io.BytesIO()
    Image.linear_gradient("L").resize((3000, 300)).convert("RGBA").save(out, "PNG")
    (made,) = await images(adapter, tmp_path, operation="image.upscale", source=Media(out.getvalue(), "image/png"))
    assert made.size == (4096, 410)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 4000},
        {"height": 0},
        {"count": 0},
        {"operation": "image.enhance"},
        {"operation": "image.enhance", "source": Media(b"GIF89a....", "image/gif")},
    ],
)
async def test_what_cannot_be_drawn_is_refused(adapter: Adapter, tmp_path: Path, changes: dict):
    with pytest.raises(Rejected) as refusal:
        await images(adapter, tmp_path, **changes)
    assert refusal.value.reason == "bad_input"


async def test_a_wrong_model_is_unsupported(adapter: Adapter, tmp_path: Path):
    with pytest.raises(Unsupported):
        await images(adapter, tmp_path, model="sketch-video")


def test_the_sample_portrait_is_what_its_code_draws_and_has_one_face(tmp_path: Path):
    draw_portrait(tmp_path / "p.png")
    ours, drawn = (np.asarray(Image.open(p)).astype(int) for p in (PORTRAIT, tmp_path / "p.png"))
    assert np.abs(ours - drawn).mean() < 1
    finder = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    assert len(finder.detectMultiScale(cv2.cvtColor(ours.astype(np.uint8), cv2.COLOR_RGB2GRAY), 1.1, 6)) == 1


@pytest.mark.parametrize("take", range(4))
def test_the_clouds_have_no_seam(take: int):
    canvas = Canvas(600, 400)
    paint_sky(canvas, read_scene("a lake at dawn", None, take), 0.55)
    steps = np.abs(np.diff(canvas.rgb[:200, :60], axis=1)).max(axis=(0, 2))  # the sun stands further in
    assert steps.max() < 8 * np.median(steps)
