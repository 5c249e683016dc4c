"""A video's last frame, beside decoding all of it to floats."""

from __future__ import annotations

import io
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cli.loading import ROOT
from cli.pack import load_pack

from .parts import fresh_peak, measured, peak_bytes
from .pictures import photograph
from .report import Line
from .timing import megabytes, milliseconds, seconds

SECONDS = 15
SHELF = 30
"""How many frames the peers' way may hold here at once: all of them need more memory than most machines have."""


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        _draw(video)
        turns = [_turn(video) for _ in range(1 if quick else 3)]
    own, theirs = (statistics.median(turn[way]["seconds"] for turn in turns) for way in ("ours", "peers"))
    ratio = statistics.median(turn["peers"]["seconds"] / turn["ours"]["seconds"] for turn in turns)
    title = f"{SECONDS} s of 1080p"
    yield Line("last frame", f"{title}: times faster", ratio, "x", milliseconds(own), milliseconds(theirs), least=20)
    extra = max(turn["ours"]["extra"] for turn in turns)
    whole = turns[0]["peers"]["floats"]
    label = (megabytes(extra), f"{megabytes(whole)}, as counted")
    yield Line("last frame", f"{title}: times less memory", whole / extra, "x", *label, least=40)


def _turn(video: Path) -> dict[str, Any]:
    return {way: measured("last-frame", video=str(video), way=way) for way in ("ours", "peers")}


def last_frame(*, video: str, way: str) -> dict[str, float]:
    """Part: the seconds, the extra memory, and the bytes of all frames as floats."""
    take = load_pack(ROOT).module("wan.media.last_frame").last_frame
    import av

    held = fresh_peak()
    frames: list[int] = []

    def all_frames() -> None:
        """As ComfyUI's Get Video Components: every frame as a tensor of floats, then all in one."""
        shelf: list[torch.Tensor] = []
        with av.open(video) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                shelf.append(torch.from_numpy(frame.to_ndarray(format="rgb24")).float() / 255)
                frames.append(shelf[-1].nbytes)
                if len(shelf) == SHELF:
                    torch.stack(shelf)
                    shelf.clear()

    taken = seconds((lambda: take(video)) if way == "ours" else all_frames)
    return {"seconds": taken, "extra": peak_bytes() - held, "floats": sum(frames)}


def _draw(video: Path) -> None:
    """Let the mock server draw a video over a photograph."""
    pack, image = load_pack(ROOT), io.BytesIO()
    from PIL import Image

    Image.fromarray(photograph("astronaut.png", (1920, 1080))).save(image, "JPEG", quality=95)
    scene = pack.module("offline.scene").Scene(image.getvalue(), "1080P", SECONDS, has_audio=True)
    pack.module("offline.render").render(scene, video)
