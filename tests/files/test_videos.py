"""Videos from providers: whole, really decodable, and nothing else."""

from pathlib import Path

import pytest
from tests.files import draw

from hortus.core.settings import Settings
from hortus.files import NotMedia, verify_media
from hortus.files.video import measure_video

pytest.importorskip("av", reason="needs the extra `local` to make videos")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw.make_video(tmp_path_factory.mktemp("videos") / "video.mp4")


@pytest.mark.parametrize("decode", [True, False])
async def test_the_facts_of_an_mp4(video: Path, decode: bool):
    found = await measure_video(video, decode=decode)
    assert (found.mime_type, found.width, found.height) == ("video/mp4", 96, 64)
    assert found.duration_ms is not None
    assert 400 <= found.duration_ms <= 600


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize(("degrees", "size"), [(0, (96, 64)), (90, (64, 96)), (180, (96, 64)), (270, (64, 96))])
async def test_the_size_is_the_one_that_players_show(tmp_path: Path, decode: bool, degrees: int, size: tuple[int, int]):
    path = draw.turned(draw.make_video(tmp_path / "video.mp4"), degrees)
    found = await measure_video(path, decode=decode)
    assert (found.width, found.height) == size


async def test_the_facts_of_a_webm(tmp_path: Path):
    path = draw.make_video(tmp_path / "video.webm", kind="webm")
    found = await measure_video(path)
    assert (found.mime_type, found.width, found.height) == ("video/webm", 96, 64)
    with pytest.raises(NotMedia):
        await measure_video(path, decode=False)


async def test_bytes_and_paths_are_verified_alike(video: Path):
    one = await verify_media(video, "video", Settings())
    other = await verify_media(video.read_bytes(), "video", Settings())
    assert one == other
    assert one.bytes == video.stat().st_size


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"I cannot do that.",
        draw.HTML,
        draw.make_image(),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        draw.box(b"ftyp", b"isom\x00\x00\x02\x00isom"),
        draw.box(b"ftyp", b"isom\x00\x00\x02\x00isom") + draw.box(b"moov", b"") + draw.box(b"mdat", b"x" * 99),
        draw.box(b"ftyp", b"isom\x00\x00\x02\x00isom")
        + draw.box(b"moov", draw.box(b"mvhd", b""))
        + draw.box(b"mdat", b""),
        b"\x00\x00\x00\x00ftypisom" + b"\x00" * 64,
        draw.box(b"ftyp", b"heic") + b"\x00" * 4,
    ],
    ids=["empty", "words", "html", "jpeg", "playlist", "concat", "stub", "no tracks", "no index", "zeros", "heic"],
)
async def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, decode: bool):
    path = tmp_path / "video"
    path.write_bytes(content)
    with pytest.raises(NotMedia):
        await measure_video(path, decode=decode)


@pytest.mark.parametrize("decode", [True, False])
async def test_a_cut_video_is_refused(video: Path, tmp_path: Path, decode: bool):
    content = video.read_bytes()
    for end in (len(content) - 1, len(content) // 2, 40):
        path = tmp_path / "cut"
        path.write_bytes(content[:end])
        with pytest.raises(NotMedia):
            await measure_video(path, decode=decode)


async def test_a_video_of_noise_has_the_boxes_and_does_not_decode(video: Path, tmp_path: Path):
    content = video.read_bytes()
    start = content.index(b"mdat") + 4
    path = tmp_path / "noise"
    path.write_bytes(content[:start] + b"\xa5" * (len(content) - start))
    assert (await measure_video(path, decode=False)).width == 96
    with pytest.raises(NotMedia):
        await measure_video(path, decode=True)


async def test_a_video_is_no_image_and_an_image_no_video(video: Path):
    with pytest.raises(NotMedia):
        await verify_media(video, "image", Settings())
    with pytest.raises(NotMedia):
        await verify_media(draw.make_image(), "video", Settings())
