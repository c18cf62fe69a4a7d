"""Encoder of MP4 files that browsers play: H.264 and AAC, the index in front."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from hortus_local.images import Pixels

FPS = 25
SIZES = {"16:9": (768, 432), "9:16": (432, 768), "1:1": (512, 512)}
"""Width and height by aspect ratio: small, because two cores draw every frame."""
_SOUND_RATE = 44_100
_BT709 = 1


def write_video(
    path: Path, frames: Iterator[Pixels], size: tuple[int, int], sound: NDArray[np.int16], rate: int
) -> None:
    """Encode RGB frames of `size` with mono sound. The video lasts as long as the frames."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "22", "tune": "film"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_type = "AUTO"
        video.codec_context.thread_count = min(os.cpu_count() or 1, 4)
        video.codec_context.time_base = Fraction(1, FPS)
        video.codec_context.color_range = 1
        video.codec_context.colorspace = video.codec_context.color_primaries = video.codec_context.color_trc = _BT709
        audio = container.add_stream("aac", rate=_SOUND_RATE, options={"b": "96k"}, layout="mono")
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=_SOUND_RATE, frame_size=1024)
        step, position = rate // FPS, 0
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(video.encode(frame))
            piece = sound[position : position + step]
            piece = np.pad(piece, (0, step - piece.size))
            sound_frame = av.AudioFrame.from_ndarray(piece[None, :].copy(), format="s16", layout="mono")
            sound_frame.sample_rate, sound_frame.pts, sound_frame.time_base = rate, position, Fraction(1, rate)
            position += step
            for part in resampler.resample(sound_frame):
                container.mux(audio.encode(part))
        for part in resampler.resample(None):
            container.mux(audio.encode(part))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
