"""The first frame as a data URI, and the body that it goes into."""

from __future__ import annotations

import base64
import io
import json
import math
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from cli.loading import ROOT
from cli.pack import load_pack

from .parts import fresh_peak, measured, peak_bytes
from .pictures import NATURAL, NOISY, SIZES, SYNTHETIC, Pixels
from .report import Line
from .timing import by_turns, megabytes

BODY_BYTES = 6 * 1024 * 1024
SIDES = (240, 8000)
LEAST_DECIBELS = 46.0


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    for tier, size in SIZES.items():
        if quick and tier != "1080p":
            continue
        for name, make in {**NATURAL, **SYNTHETIC, **NOISY}.items():
            yield from _image_lines(f"{tier} {name}", make(size), name=name, turns=1 if quick else 3)
        yield _memory_line(tier)
    yield _body_line()


def _image_lines(title: str, levels: Pixels, *, name: str, turns: int) -> Iterator[Line]:
    """What one image takes, weighs and loses; for one that meets a limit, what shows it."""
    image = torch.from_numpy(levels.astype(np.float32) / 255)
    taken = by_turns(lambda: ours(image), lambda: peers(image), turns=turns)
    frame, theirs = ours(image), peers(image)
    slow, large, lossy = _LIMITS.get(name, ("", "", ""))
    yield Line("first frame", f"{title}: times faster", taken.ratio, "x", *taken.label(), least=30, limit=slow)
    share = len(frame.data_uri) / len(theirs)
    sizes = (megabytes(len(frame.data_uri)), megabytes(len(theirs)))
    yield Line("first frame", f"{title}: bytes", share, "of the peers'", *sizes, most=0.5, limit=large)
    loss = decibels(frame.data, levels)
    kind = "exact PNG" if math.isinf(loss) else f"{frame.mime} {frame.quality}, {frame.width} px wide"
    yield Line("first frame", f"{title}: kept", loss, "dB", kind, "exact", least=LEAST_DECIBELS, limit=lossy)
    if name in SYNTHETIC:
        alone = by_turns(lambda: to_bytes(image), lambda: peers(image), turns=turns)
        yield Line("first frame", f"{title}: times faster to make bytes of the floats alone", alone.ratio, "x")
    if name in NOISY:
        needed = len(_least_jpeg(levels)) / (len(theirs) * 3 / 4)
        yield Line("first frame", f"{title}: bytes of the least JPEG of {LEAST_DECIBELS:g} dB", needed, "of the peers'")


_DRAWN_LIMIT = (
    "a drawing goes as an exact PNG, which is both ways' work: the peers' own is small and quick here, and making "
    "bytes of the floats is not 30 times faster by itself"
)
_NOISE_LIMIT = (
    "no code keeps 46 dB of even noise in less than 0.70 of its bytes (8 - log2(sqrt(2 pi e 1.63)) = 5.6 of 8 bits), "
    "and JPEG needs over half of them for strong grain; what does not fit into the body of 6 MiB is compressed more or "
    "scaled down; one JPEG of noise takes longer than a thirtieth of its PNG, which packs nothing"
)
_LIMITS = {
    **dict.fromkeys(SYNTHETIC, (_DRAWN_LIMIT, _DRAWN_LIMIT, "")),
    "grainy photo": ("", "", _NOISE_LIMIT),
    "noise": (_NOISE_LIMIT, _NOISE_LIMIT, _NOISE_LIMIT),
}
"""Why some images cannot be 30 times faster, half the bytes, or kept at 46 dB."""


def ours(image: Any) -> Any:
    """The pack's way: the frame, with its data URI made."""
    module = load_pack(ROOT).module("wan.media.image")
    frame = module.encode_frame(image, max_chars=BODY_BYTES - 4096, sides=SIDES)
    _ = frame.data_uri
    return frame


def to_bytes(image: Any) -> Any:
    """The first step of the pack's way."""
    return load_pack(ROOT).module("wan.media.image")._to_rgb8(image)


def peers(image: Any) -> str:
    """The peers' way: PNG at Pillow's default level."""
    levels = np.clip(255.0 * image.cpu().numpy(), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def decibels(data: bytes, levels: Pixels) -> float:
    """The signal-to-noise ratio of what is sent; infinite where it is exact."""
    with Image.open(io.BytesIO(data)) as opened:
        sent = opened.convert("RGB").resize((levels.shape[1], levels.shape[0]), Image.Resampling.BICUBIC)
    loss = float(np.mean((np.asarray(sent, np.float32) - levels) ** 2))
    return 10 * math.log10(255**2 / loss) if loss else math.inf


def _least_jpeg(levels: Pixels) -> bytes:
    """The smallest JPEG that keeps as much as is asked for; the best there is where none does."""
    for quality in range(95, 101):
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=0)
        if decibels(file.getvalue(), levels) >= LEAST_DECIBELS:
            break
    return file.getvalue()


def _memory_line(tier: str) -> Line:
    width, height = SIZES[tier]
    whole = width * height * 3
    own, other = (measured("frame-memory", tier=tier, way=way) for way in ("ours", "peers"))
    label = (megabytes(own), megabytes(other))
    return Line("first frame", f"{tier}: peak memory beyond the tensor", own / whole, "8-bit pictures", *label, most=3)


def frame_memory(*, tier: str, way: str) -> int:
    """Part: the memory that encoding takes beyond its tensor, in bytes."""
    work = {"ours": ours, "peers": peers}[way]
    work(torch.zeros((240, 240, 3)))
    levels = NATURAL["astronaut"](SIZES[tier])
    image = torch.empty(levels.shape)
    for row, line in enumerate(levels):
        image[row] = torch.from_numpy(line.astype(np.float32) / 255)
    del levels, line
    held = fresh_peak()
    work(image)
    return peak_bytes() - held


def _body_line() -> Line:
    """How many copies of the data there are at most while the body is built."""
    data = np.random.default_rng(4).bytes(BODY_BYTES * 3 // 4 - 8192)
    own, theirs = (_copies(way, data) for way in (_our_body, _peers_body))
    label = (f"{own:.2f}", f"{theirs:.2f}")
    return Line("body", "6 MiB: copies of the data while it is built", own, "", *label, most=2)


def _copies(build: Any, data: bytes) -> float:
    tracemalloc.start()
    body = build(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if not BODY_BYTES - 20000 < len(body) <= BODY_BYTES:
        raise ValueError(f"a body of {len(body)} bytes was built")
    return peak / len(body)


def _our_body(data: bytes) -> bytes:
    pack = load_pack(ROOT)
    request, fields = pack.module("wan.api.request"), pack.module("wan.catalog.fields")
    frame = pack.module("wan.media.image").EncodedFrame(data, "image/jpeg", 1920, 1080, 95, scaled=False)
    region = pack.module("wan.catalog.regions").REGIONS["beijing"]
    asked = fields.VideoRequest(prompt="a cat")
    body = request.CreateBody(asked, region=region, kinds=["first_frame"])
    built: bytes = body.encode({"first_frame": frame.iter_chunks})
    return built


def _peers_body(data: bytes) -> bytes:
    """As `requests` does with `json=`."""
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return json.dumps({"model": "wan2.6-i2v-flash", "input": {"prompt": "a cat", "img_url": uri}}).encode()
