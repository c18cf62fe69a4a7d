"""Uploaded images: what is kept was made by our encoder; what is hostile is refused, cheaply."""

import asyncio
import io
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from tests.files import draw

from hortus.core.forked_worker import ForkedWorker, WorkerDied, environment
from hortus.core.settings import Settings
from hortus.files import NotMedia, verify_media
from hortus.files import image as images
from hortus.files.errors import DamagedImage, EmptyFile, FileTooLarge, TooManyPixels, UnsupportedFileType
from hortus.files.image import clean_image
from hortus.files.service import clean_upload

PIXELS = 50_000_000


async def cleaned(data: bytes, *, enhance: bool = False) -> tuple[images.Image, Image.Image]:
    kept = await clean_image(data, PIXELS, enhance=enhance)
    image = draw.opened(kept.data)
    assert image.size == (kept.width, kept.height)
    assert Image.MIME[image.format] == kept.mime_type
    return kept, image


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (draw.HTML, "text/html"),
        (draw.SVG, "image/svg+xml"),
        (draw.PDF, "application/pdf"),
        (draw.make_image("TIFF"), "image/tiff"),
        (draw.make_image("BMP"), "image/x-ms-bmp"),
        (b"GIF", None),
        (b"\x00" * 200, None),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "application/postscript"),
        (b"P6 10 10 255 " + b"x" * 300, "image/x-portable-pixmap"),
    ],
    ids=["html", "svg", "pdf", "tiff", "bmp", "stub", "zeros", "eps", "ppm"],
)
async def test_what_is_no_image_of_ours_is_refused_by_its_content(data: bytes, found: str | None):
    with pytest.raises(UnsupportedFileType) as refused:
        await clean_image(data, PIXELS)
    assert refused.value.extra["found"] == found


@pytest.mark.parametrize(
    "data",
    [
        draw.noise("JPEG", (300, 200))[:-3000],
        draw.noise("PNG", (300, 200))[:-3000],
        draw.noise("WEBP", (300, 200))[:-3000],
        b"\xff\xd8\xff\xe0" + draw.HTML,
        b"\x89PNG\r\n\x1a\n" + draw.HTML,
        draw.png(40, 40, b"not deflate at all"),
        b"GIF89a" + draw.HTML,
    ],
    ids=["cut jpeg", "cut png", "cut webp", "html as jpeg", "html as png", "bad data", "html as gif"],
)
async def test_damaged_images_are_refused(data: bytes):
    with pytest.raises((DamagedImage, UnsupportedFileType)):
        await clean_image(data, PIXELS)


async def test_a_cut_jpeg_is_called_damaged():
    with pytest.raises(DamagedImage):
        await clean_image(draw.noise("JPEG", (300, 200))[:-3000], PIXELS)


async def test_a_bomb_is_refused_by_its_header():
    bomb = draw.bomb(20_000, 20_000)
    assert len(bomb) < 500_000
    started = time.perf_counter()
    with pytest.raises(TooManyPixels) as refused:
        await clean_image(bomb, PIXELS)
    assert time.perf_counter() - started < 2
    assert refused.value.extra["max_pixels"] == PIXELS


async def test_bombs_beside_the_pixels_do_no_harm():
    bomb = draw.bomb(3_000, 3_000)
    profile = draw.chunk(b"iCCP", b"x\x00\x00" + draw.zlib.compress(b"\x00" * 50_000_000, 9))
    text = draw.chunk(b"zTXt", b"x\x00\x00" + draw.zlib.compress(b"\x00" * 200_000_000, 9))
    for extra in (profile, text):
        data = bomb[:33] + extra + bomb[33:]
        kept = None
        try:
            kept = await clean_image(data, PIXELS)
        except DamagedImage:
            continue
        assert len(kept.data) < 1_000_000


@pytest.fixture
def worker() -> Iterator[ForkedWorker]:
    """A worker of this test's own."""
    made = ForkedWorker(Path(images.__file__).with_name("image_worker.py"))
    yield made
    made.close()


def test_memory_is_bounded(worker: ForkedWorker):
    """Four hundred megabytes of pixels meet a limit of two hundred: that process fails, we do not."""
    with pytest.raises(WorkerDied):
        worker.run("clean", str(10**9), "0", content=draw.bomb(20_000, 20_000), seconds=20, memory=200_000_000)
    assert worker.run("clean", "100", "0", content=draw.make_image("PNG", (8, 8)), seconds=20, memory=10**9).data


def test_time_is_bounded(worker: ForkedWorker):
    with pytest.raises(WorkerDied, match="within"):
        worker.run("clean", str(10**9), "0", content=draw.bomb(12_000, 12_000), seconds=0.3, memory=4 * 10**9)
    assert worker.run("clean", "100", "0", content=draw.make_image("PNG", (8, 8)), seconds=20, memory=10**9).data


def test_a_call_starts_no_python(worker: ForkedWorker):
    """Every call is a fork of one template, which is there again after it was killed."""
    parents = set()
    for _ in range(3):
        worker.run("measure", "100", "0", content=draw.make_image("PNG", (8, 8)), seconds=20, memory=10**9)
        parents.add(worker._template.pid)
    assert len(parents) == 1
    os.killpg(parents.pop(), signal.SIGKILL)
    worker._template.wait()
    assert worker.run("measure", "100", "0", content=draw.make_image("PNG", (8, 8)), seconds=20, memory=10**9).facts


def test_calls_run_at_once_and_know_nothing_of_each_other(worker: ForkedWorker):
    def call(side: int) -> int:
        data = draw.make_image("PNG", (side, side))
        return worker.run("measure", "100000", "0", content=data, seconds=60, memory=10**9).facts["width"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(1, 41))) == list(range(1, 41))


def test_the_decoder_is_told_no_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    assert "do not tell" not in environment().values()
    assert environment()["PATH"]


async def test_a_polyglot_loses_its_other_self():
    data = draw.make_image() + draw.HTML + b"PK\x03\x04" + b"x" * 100
    kept, image = await cleaned(data)
    assert b"script" not in kept.data
    assert b"PK\x03\x04" not in kept.data
    assert image.size == (64, 48)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("enhance", [False, True])
async def test_place_and_camera_are_forgotten(kind: str, enhance: bool):
    data = draw.make_image(kind, exif=draw.exif())
    assert b"SecretCamera" in data
    kept, image = await cleaned(data, enhance=enhance)
    assert b"SecretCamera" not in kept.data
    assert len(image.getexif()) == 0
    assert not {"exif", "comment", "icc_profile", "xmp"} & set(image.info)


async def test_comments_and_texts_are_forgotten():
    jpeg = draw.make_image(comment=b"private words")
    text = draw.chunk(b"tEXt", b"Author\x00private words")
    plain = draw.make_image("PNG")
    for data in (jpeg, plain[:33] + text + plain[33:]):
        assert b"private words" in data
        kept, _ = await cleaned(data)
        assert b"private words" not in kept.data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_images_are_turned_upright(kind: str, orientation: int):
    """A red corner that the camera put somewhere is at the top left again."""
    upright = Image.new("RGB", (64, 32), (0, 0, 200))
    upright.paste((220, 0, 0), (0, 0, 24, 12))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how such a camera would have stored it
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation in undo else upright
    out = io.BytesIO()
    stored.save(out, kind, exif=draw.exif(orientation), quality=95)
    _, image = await cleaned(out.getvalue())
    assert image.size == (64, 32)
    red, _, blue = image.convert("RGB").getpixel((6, 4))
    assert red > 150 > blue
    assert image.convert("RGB").getpixel((60, 28))[2] > 120


async def test_broken_exif_is_no_reason_to_refuse():
    plain = draw.make_image()
    broken = (
        b"\xff\xe1" + (2 + 6 + 40).to_bytes(2, "big") + b"Exif\x00\x00" + b"MM\x00\x2a\xff\xff\xff\xff" + b"\xff" * 32
    )
    await cleaned(plain[:2] + broken + plain[2:])


async def test_cmyk_becomes_rgb():
    kept, image = await cleaned(draw.make_image(mode="CMYK", color=(0, 255, 255, 0)))
    assert kept.mime_type == "image/jpeg"
    red, green, _ = image.convert("RGB").getpixel((5, 5))
    assert image.mode == "RGB"
    assert red > 200 > green


async def test_sixteen_bits_keep_their_greys():
    out = io.BytesIO()
    deep = Image.new("I;16", (64, 64))
    for x in range(64):
        for y in range(64):
            deep.putpixel((x, y), x * 1024)
    deep.save(out, "PNG")
    _, image = await cleaned(out.getvalue())
    row = [image.convert("L").getpixel((x, 30)) for x in range(64)]
    assert row[0] < 4
    assert 120 < row[32] < 136
    assert row[63] > 245


async def test_palette_transparency_is_kept():
    image = Image.new("P", (40, 40), 0)
    image.putpalette([0, 0, 0, 250, 10, 10])
    image.paste(1, (0, 0, 20, 40))
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0)
    for enhance in (False, True):
        kept, shown = await cleaned(out.getvalue(), enhance=enhance)
        assert kept.mime_type == "image/png"
        assert shown.getpixel((35, 20))[3] == 0
        assert shown.getpixel((5, 20))[3] == 255


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_transparency_is_kept_in_its_own_format(kind: str):
    kept, image = await cleaned(draw.make_image(kind, mode="RGBA", color=(10, 200, 10, 90)))
    assert kept.mime_type == Image.MIME[kind]
    assert abs(image.getpixel((3, 3))[3] - 90) <= 2


async def test_of_an_animation_the_first_frame_is_kept():
    out = io.BytesIO()
    frames = [Image.new("RGB", (30, 30), color) for color in ("red", "lime", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    kept, image = await cleaned(out.getvalue())
    assert kept.mime_type == "image/png"
    assert getattr(image, "n_frames", 1) == 1
    assert image.convert("RGB").getpixel((3, 3)) in ((254, 0, 0), (255, 0, 0))


async def test_images_of_phones_with_several_images_are_jpegs():
    out = io.BytesIO()
    frames = [Image.new("RGB", (30, 30), color) for color in ("red", "lime")]
    frames[0].save(out, "MPO", save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(out.getvalue())).format == "MPO"
    kept, _ = await cleaned(out.getvalue())
    assert kept.mime_type == "image/jpeg"
    found = await verify_media(out.getvalue(), "image", Settings())
    assert found.mime_type == "image/jpeg"


async def test_a_broken_colour_profile_is_ignored():
    for profile in (b"garbage" * 50, draw.lab_profile()):
        _, image = await cleaned(draw.make_image(icc_profile=profile))
        assert image.convert("RGB").getpixel((5, 5))[0] > 150


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_colours_are_shown_as_their_profile_means_them(kind: str):
    for mode, color in (("RGB", (230, 20, 20)), ("RGBA", (230, 20, 20, 120))):
        if kind == "JPEG" and mode == "RGBA":
            continue
        _, image = await cleaned(draw.make_image(kind, mode=mode, color=color, icc_profile=draw.swapped_profile()))
        red, _, blue, *alpha = image.getpixel((5, 5))
        assert blue > 200
        assert red < 60
        assert all(abs(value - 120) <= 2 for value in alpha)


async def test_an_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _, image = await cleaned(draw.make_image("PNG", icc_profile=profile))
    assert image.getpixel((5, 5)) == (200, 40, 40)


async def test_enhancing_keeps_the_size_and_stretches_the_levels():
    out = io.BytesIO()
    dull = Image.linear_gradient("L").resize((5200, 1000)).point(lambda value: 80 + value // 4).convert("RGB")
    dull.save(out, "JPEG", quality=90)
    for max_side, size in ((0, (5200, 1000)), (2600, (2600, 500)), (6000, (5200, 1000))):
        kept = await clean_image(out.getvalue(), PIXELS, enhance=True, max_side=max_side)
        image = draw.opened(kept.data)
        assert image.size == size
        low, high = image.convert("L").getextrema()
        assert low < 20
        assert high > 235


async def test_colours_follow_the_curves_of_a_profile_not_its_name():
    linear = draw.linear_profile()
    for kind, mode, color in (("PNG", "RGB", (55, 55, 55)), ("PNG", "RGBA", (55, 55, 55, 200)), ("JPEG", "L", 55)):
        _, image = await cleaned(draw.make_image(kind, mode=mode, color=color, icc_profile=linear))
        assert abs(image.convert("RGB").getpixel((5, 5))[0] - 128) <= 2


def gamma(hundred_thousandths: int) -> bytes:
    return draw.chunk(b"gAMA", hundred_thousandths.to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("extra", "shown"),
    [([], 55), ([gamma(100_000)], 128), ([gamma(45_455)], 55), ([draw.chunk(b"sRGB", b"\0"), gamma(100_000)], 55)],
    ids=["none", "linear", "that of sRGB", "sRGB wins"],
)
async def test_colours_follow_the_gamma_of_a_png(extra: list[bytes], shown: int):
    rows = draw.zlib.compress((b"\0" + b"\x37" * 24) * 8)
    _, image = await cleaned(draw.png(8, 8, rows, *extra, color=2))
    assert abs(image.getpixel((5, 5))[0] - shown) <= 2


MEGABYTES = draw.zlib.compress(b"metadata" * 300_000, 9)
LONG = b"metadata" * 300_000


@pytest.mark.parametrize(
    "extra",
    [
        draw.chunk(b"zTXt", b"workflow\0\0" + MEGABYTES),
        draw.chunk(b"tEXt", b"workflow\0" + LONG),
        draw.chunk(b"iTXt", b"workflow\0\1\0\0\0" + MEGABYTES),
        draw.chunk(b"iCCP", b"profile\0\0" + MEGABYTES),
        draw.chunk(b"iCCP", b"profile\0\7" + MEGABYTES),
        draw.chunk(b"zTXt", b"workflow\0\7" + MEGABYTES),
        draw.chunk(b"tEXt", b"workflow\0words")[:-4] + b"ABCD",
        draw.chunk(b"eXIf", b"\xff" * 300_000),
        draw.chunk(b"tIME", b"\xff"),
        draw.chunk(b"prVt", LONG),
    ],
    ids=["zTXt", "tEXt", "iTXt", "iCCP", "unknown packing", "zTXt packing", "checksum", "eXIf", "tIME", "private"],
)
@pytest.mark.parametrize("after", [False, True], ids=["before pixels", "after pixels"])
async def test_metadata_of_a_png_never_decides(extra: bytes, after: bool):
    plain = draw.make_image("PNG")
    cut = len(plain) - 12 if after else 33
    kept, image = await cleaned(plain[:cut] + extra + plain[cut:])
    assert image.getpixel((5, 5)) == (200, 40, 40)
    assert b"metadata" not in kept.data


def segment(number: int, content: bytes) -> bytes:
    """One JPEG segment."""
    return bytes((0xFF, number)) + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xED, b"Photoshop 3.0\x008BIM\xff\xff\xff" + b"\xff" * 40),
        segment(0xE2, b"ICC_PROFILE\0\1\3" + b"x" * 60),
        segment(0xE2, b"MPF\0MM\0\x2a\xff\xff\xff\xff"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"),
        segment(0xEE, b"Adobe\0"),
        segment(0xFE, b"\xff" * 60_000),
        segment(0xE0, b"JFXX"),
    ],
    ids=["photoshop", "part of a profile", "MPF", "XMP", "Adobe", "comment", "JFXX"],
)
async def test_metadata_of_a_jpeg_never_decides(extra: bytes):
    plain = draw.make_image()
    _, image = await cleaned(plain[:20] + extra + plain[20:])
    assert abs(image.getpixel((5, 5))[0] - 200) < 6


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))])
async def test_a_made_image_is_measured_as_it_is_shown(orientation: int, size: tuple[int, int]):
    data = draw.make_image("JPEG", (40, 30), exif=draw.exif(orientation))
    found = await verify_media(data, "image", Settings())
    assert (found.width, found.height) == size


async def test_enhancing_never_scales_up():
    _, image = await cleaned(draw.make_image(size=(100, 50)), enhance=True)
    assert image.size == (100, 50)


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (9000, 1)])
async def test_extreme_shapes(size: tuple[int, int]):
    kept = await clean_image(draw.make_image(size=size), PIXELS, enhance=True, max_side=2048)
    assert max(kept.width, kept.height) == min(2048, max(size))
    assert min(kept.width, kept.height) == 1


async def test_sizes_are_checked_first():
    settings = Settings(max_upload_bytes=1000)
    with pytest.raises(EmptyFile):
        await clean_upload(b"", settings, enhance=False)
    with pytest.raises(FileTooLarge) as refused:
        await clean_upload(b"x" * 1001, settings, enhance=False)
    assert refused.value.extra["max_bytes"] == 1000


async def test_the_loop_goes_on_while_images_are_decoded():
    work = asyncio.gather(*(clean_image(draw.noise("PNG", (900, 900)), PIXELS) for _ in range(3)))
    longest, last = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await work
    assert longest < 1


@pytest.mark.parametrize(
    "content",
    [b"I cannot draw that.", draw.HTML, b"", draw.noise("PNG", (99, 99))[:-500]],
    ids=["words", "html", "empty", "cut"],
)
async def test_text_for_an_image_is_no_media(content: bytes):
    with pytest.raises(NotMedia):
        await verify_media(content, "image", Settings())


async def test_a_made_image_is_measured(tmp_path):
    data = draw.make_image("WEBP", (40, 30))
    path = tmp_path / "made"
    path.write_bytes(data)
    for content in (data, path):
        found = await verify_media(content, "image", Settings())
        assert (found.mime_type, found.width, found.height, found.bytes) == ("image/webp", 40, 30, len(data))
        assert len(found.sha256) == 64
