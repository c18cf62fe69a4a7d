"""Change a picture: restyle, enhance, upscale, remove the background."""

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from hortus.providers.local.refusal import Refusal

LARGEST_SIDE = 4096
CUT_AT = 480
"""GrabCut runs on a small copy; its edge is refined at full size."""


def edit(operation: str, source: bytes, prompt: str) -> Image.Image:
    """The changed picture. Raises Refusal for what is no picture."""
    try:
        picture = Image.open(io.BytesIO(source))
        picture.load()
    except Exception as error:  # decoders of hostile bytes raise almost anything
        raise Refusal("rejected", "the picture cannot be decoded") from error
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    if operation == "image.enhance":
        return _enhance(upright)
    if operation == "image.upscale":
        return _upscale(upright)
    if operation == "image.remove_background":
        return _remove_background(upright)
    return _restyle(upright, prompt.lower())


def _enhance(picture: Image.Image) -> Image.Image:
    lab = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=1.6, tileGridSize=(8, 8)).apply(lab[:, :, 0])
    lifted = Image.fromarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    return ImageEnhance.Color(lifted).enhance(1.08).filter(ImageFilter.UnsharpMask(2, 60, 2))


def _upscale(picture: Image.Image) -> Image.Image:
    factor = min(2.0, LARGEST_SIDE / max(picture.size))
    if factor <= 1:
        return picture
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(1.5, 80, 1))


def _remove_background(picture: Image.Image) -> Image.Image:
    scale = min(1.0, CUT_AT / max(picture.size))
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    small = cv2.cvtColor(np.asarray(picture.resize(size)), cv2.COLOR_RGB2BGR)
    mask = _guess_mask(small)
    cv2.grabCut(small, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    kept: Any = np.where((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    kept = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    soft = cv2.GaussianBlur(kept, (0, 0), 1.2)
    result = picture.convert("RGBA")
    result.putalpha(Image.fromarray(soft).resize(picture.size, Image.Resampling.BICUBIC))
    return result


def _guess_mask(small: NDArray[Any]) -> NDArray[np.uint8]:
    """A face with the shoulders under it where there is one; the middle of the picture otherwise."""
    height, width = small.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    margin = max(2, width // 40)
    mask[:margin], mask[:, :margin], mask[:, -margin:] = cv2.GC_BGD, cv2.GC_BGD, cv2.GC_BGD
    finder = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    faces = finder.detectMultiScale(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), 1.1, 6, minSize=(width // 8, width // 8))
    if len(faces):
        x, y, w, h = max(faces, key=lambda face: int(face[2]) * int(face[3]))
        cv2.ellipse(mask, (x + w // 2, y + h // 2), (int(w * 0.75), int(h * 0.95)), 0, 0, 360, cv2.GC_PR_FGD, -1)
        cv2.rectangle(mask, (int(x - w * 0.6), y + int(h * 1.25)), (int(x + w * 1.6), height), cv2.GC_PR_FGD, -1)
        cv2.ellipse(mask, (x + w // 2, y + h // 2), (int(w * 0.4), int(h * 0.5)), 0, 0, 360, cv2.GC_FGD, -1)
    else:
        middle = (width // 2, height // 2)
        cv2.ellipse(mask, middle, (int(width * 0.36), int(height * 0.4)), 0, 0, 360, cv2.GC_PR_FGD, -1)
        cv2.ellipse(mask, middle, (int(width * 0.12), int(height * 0.14)), 0, 0, 360, cv2.GC_FGD, -1)
    return mask


def _restyle(picture: Image.Image, prompt: str) -> Image.Image:
    pixels = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR)
    if any(word in prompt for word in ("sketch", "pencil", "line", "drawing")):
        grey, _ = cv2.pencilSketch(pixels, sigma_s=60, sigma_r=0.07, shade_factor=0.05)
        return Image.fromarray(grey).convert("RGB")
    if any(word in prompt for word in ("mono", "black and white", "noir", "vintage", "sepia")):
        plain = ImageOps.autocontrast(ImageOps.grayscale(picture), cutoff=1)
        if "vintage" in prompt or "sepia" in prompt:
            return ImageOps.colorize(plain, "#1d1510", "#f6ead2", mid="#8a7358")
        return plain.convert("RGB")
    if "pixel" in prompt:
        small = picture.resize((max(8, picture.width // 10), max(8, picture.height // 10)), Image.Resampling.BOX)
        return small.quantize(24).convert("RGB").resize(picture.size, Image.Resampling.NEAREST)
    if any(word in prompt for word in ("comic", "cartoon", "anime", "pop")):
        return _comic(pixels)
    # Watercolour suits most subjects, so it is what an unknown style becomes.
    washed = cv2.stylization(pixels, sigma_s=45, sigma_r=0.35)
    return ImageEnhance.Color(Image.fromarray(cv2.cvtColor(washed, cv2.COLOR_BGR2RGB))).enhance(1.15)


def _comic(pixels: NDArray[Any]) -> Image.Image:
    smooth = pixels
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 9, 60, 9)
    levels = (smooth // 32 * 32 + 16).astype(np.uint8)
    grey = cv2.medianBlur(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 11, 5)
    inked = cv2.bitwise_and(levels, levels, mask=lines)
    return ImageEnhance.Color(Image.fromarray(cv2.cvtColor(inked, cv2.COLOR_BGR2RGB))).enhance(1.3)
