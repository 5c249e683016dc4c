"""Small files that claim to be huge, and a program that opens them all and says how much memory that took.

`python bombs.py FOLDER` prints one JSON object: what each file ended in, and the peak of the process in MB.
"""

from __future__ import annotations

import importlib.util
import io
import json
import resource
import struct
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATRIX = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def numbers(*values):
    return b"".join(struct.pack(">I", value) for value in values)


def box(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def full(kind, *parts):
    return box(kind, bytes(4), *parts)


def movie(*, table, entry, handler, head):
    """A video of one track. `table` are the boxes of its sample table behind the description `entry`."""
    described = full(b"stsd", numbers(1), entry)
    inner = box(b"minf", head, box(b"dinf", full(b"dref", numbers(1), full(b"url "))), box(b"stbl", described, *table))
    media = box(b"mdia", full(b"mdhd", numbers(0, 0, 30, 1), b"\x55\xc4\0\0"), handler, inner)
    track = box(b"trak", full(b"tkhd", numbers(0, 0, 1, 0, 1), bytes(16), numbers(*MATRIX), bytes(8)), media)
    header = full(b"mvhd", numbers(0, 0, 30, 1, 0x10000, 0x1000000), bytes(8), numbers(*MATRIX), bytes(24), numbers(2))
    return box(b"ftyp", b"isom", numbers(512), b"isom") + box(b"mdat", bytes(64)) + box(b"moov", header, track)


def image_entry(width=64, height=64, codec=b"avc1"):
    sides = struct.pack(">HH", width, height)
    return box(
        codec, bytes(7), b"\1", bytes(16), sides, numbers(0x480000, 0x480000, 0), b"\0\1", bytes(32), b"\0\x18\xff\xff"
    )


def video(frames, *, size=1, **sides):
    table = (
        full(b"stts", numbers(1, frames, 1)),
        full(b"stsc", numbers(1, 1, frames, 1)),
        full(b"stsz", numbers(size, frames)),
        full(b"stco", numbers(1, 48)),
    )
    handler = full(b"hdlr", bytes(4), b"vide", bytes(13))
    return movie(table=table, entry=image_entry(**sides), handler=handler, head=full(b"vmhd", bytes(8)))


def gif(side):
    head = b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return head + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def png(side, *, rows=0):
    """An image that says that its sides are so long, with so many rows in it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + numbers(zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(rows)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def video_of_a_image(side):
    """A video whose one frame is a real image of that size: FFmpeg decodes it to find out what the video is."""
    image = png(side, rows=side)
    table = (
        full(b"stts", numbers(1, 1, 1)),
        full(b"stsc", numbers(1, 1, 1, 1)),
        full(b"stsz", numbers(len(image), 1)),
        full(b"stco", numbers(1, 28)),
    )
    handler = full(b"hdlr", bytes(4), b"vide", bytes(13))
    made = movie(table=table, entry=image_entry(codec=b"png "), handler=handler, head=full(b"vmhd", bytes(8)))
    return made[:20] + box(b"mdat", image) + made[20 + 72 :]


VIDEOS = {
    "12000x12000.mov": lambda: video_of_a_image(12_000),
    "80 million frames of a byte table.mp4": lambda: video(80_000_000).replace(b"stsz", b"stz2"),
    "65535x65535.mp4": lambda: video(1, width=65535, height=65535),
    "20000x20000.gif": lambda: gif(20_000),
}


def pack():
    spec = importlib.util.spec_from_file_location(
        "wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["wanpack"] = module
    spec.loader.exec_module(module)


def megabytes():
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` says begins with the memory of the process that started this one.
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if sys.platform != "darwin" else 1024 * 1024)


def opened(folder):
    """Open every video in every way, and return what each ended in."""
    from wanpack.wan.errors import WanError
    from wanpack.wan.media.last_frame import last_frame
    from wanpack.wan.media.video import probe, write_metadata

    ended = {}
    for path in sorted(folder.iterdir()):
        for way in (
            last_frame,
            probe,
            lambda path: write_metadata(path, {"a": "b"}),
            lambda path: last_frame(io.BytesIO(path.read_bytes())),
        ):
            try:
                way(path)
            except WanError as error:
                ended.setdefault(path.name, []).append(str(error))
            else:
                ended.setdefault(path.name, []).append("opened")
    return ended


def checked():
    """Hand images, audio files and tensors of absurd sizes to whatever looks at them."""
    import numpy as np
    from wanpack.offline.failures import TaskRejected
    from wanpack.offline.media import check_audio, check_image
    from wanpack.wan.catalog.media import ImageLimits
    from wanpack.wan.media.audio import validate_audio
    from wanpack.wan.media.image import validate_images

    def refused(check, *args, **named):
        try:
            check(*args, **named)
        except TaskRejected as error:
            return str(error)
        return "passed"

    def wide(*shape):
        # A view of one number as many: what no machine could hold.
        return np.broadcast_to(np.float32(0.5), shape)

    rules = {"seconds": (3, 30), "max_bytes": 15_000_000}
    return {
        "png 100000": refused(check_image, png(100_000), mime="image/png", limits=ImageLimits()),
        "png 8000 without rows": refused(check_image, png(8000), mime="image/png", limits=ImageLimits()),
        "playlist": refused(check_audio, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", span=(2, 30)),
        "image 100000": validate_images(wide(1, 100_000, 100_000, 3), sides=(240, 8000)),
        "a million images": validate_images(wide(1_000_000, 240, 240, 3), sides=(240, 8000)),
        "sound of a year": validate_audio(
            {"waveform": wide(1, 2, 48_000 * 31_000_000), "sample_rate": 48_000}, **rules
        ),
        "sound of a million channels": validate_audio(
            {"waveform": wide(1, 1_000_000, 240_000), "sample_rate": 48_000}, **rules
        ),
        "sound of a terahertz": validate_audio({"waveform": wide(1, 2, 10**12), "sample_rate": 10**11}, **rules),
        "sound of no rate": validate_audio({"waveform": wide(1, 2, 10**12), "sample_rate": -(10**400)}, **rules),
    }


if __name__ == "__main__":
    pack()
    before = megabytes()
    found = {"opened": opened(Path(sys.argv[1])), "checked": checked()}
    sys.stdout.write(json.dumps({**found, "before": before, "peak": megabytes()}))
