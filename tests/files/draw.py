"""Images and videos for tests, honest and hostile."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, TiffImagePlugin

HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF"


def make_image(
    kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", color: Any = (200, 40, 40), **more: Any
) -> bytes:
    """An image of one colour."""
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind, **more)
    return out.getvalue()


def noise(kind: str, size: tuple[int, int]) -> bytes:
    """An image that does not compress to nothing."""
    out = io.BytesIO()
    Image.merge("RGB", [Image.effect_noise(size, spread) for spread in (20, 60, 90)]).save(out, kind)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """The decoded image."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(name: bytes, content: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, idat: bytes, *extra: bytes, depth: int = 8, color: int = 0) -> bytes:
    """A PNG made by hand."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def bomb(width: int, height: int) -> bytes:
    """A few hundred kilobytes that decode to width x height."""
    packer = zlib.compressobj(9)
    row = b"\x00" * (width + 1)
    return png(width, height, b"".join(packer.compress(row) for _ in range(height)) + packer.flush())


def exif(orientation: int = 1) -> bytes:
    """EXIF with a place, a camera and an orientation."""
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = "SecretCamera"
    ratio = TiffImagePlugin.IFDRational
    found.get_ifd(0x8825).update(
        {1: "N", 2: (ratio(52), ratio(31), ratio(12)), 3: "E", 4: (ratio(13), ratio(24), ratio(1))}
    )
    return found.tobytes()


def lab_profile() -> bytes:
    """A colour profile that does not fit images in RGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def swapped_profile() -> bytes:
    """A colour profile of a device whose red is our blue; it is named sRGB all the same."""
    profile, tags = _srgb()
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def linear_profile() -> bytes:
    """A colour profile named sRGB whose samples are linear light."""
    profile, tags = _srgb()
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        (place,) = struct.unpack_from(">I", profile, tags[name] + 4)
        profile[place : place + 12] = b"curv" + bytes(8)
    return bytes(profile)


def _srgb() -> tuple[bytearray, dict[bytes, int]]:
    """The profile sRGB, and where its table describes each tag."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    return profile, {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}


def box(name: bytes, content: bytes) -> bytes:
    """One MP4 box."""
    return struct.pack(">I4s", 8 + len(content), name) + content


def make_video(path: Path, *, kind: str = "mp4", frames: int = 12, size: tuple[int, int] = (96, 64)) -> Path:
    """A real video of half a second."""
    import av

    with av.open(str(path), "w", format=kind, options={"movflags": "faststart"} if kind == "mp4" else {}) as out:
        stream = out.add_stream("libx264" if kind == "mp4" else "libvpx", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, (number * 10, 80, 120)))
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def turned(path: Path, degrees: int) -> Path:
    """The same video with a display matrix that turns it by a multiple of 90 degrees clockwise."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = struct.pack(">9i", cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 36] = matrix
    path.write_bytes(content)
    return path
