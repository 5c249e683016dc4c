"""What the service's documents say of text, reference, edit and extension, written down here by hand.

Numbers of sections are those of other-jobs.md.
"""

from __future__ import annotations

from dataclasses import dataclass

TIERS = ("480P", "720P", "1080P")
REGION_NAMES = ("beijing", "singapore", "virginia", "frankfurt", "tokyo", "hongkong")

# other-jobs.md 0, in the order of the widgets.
IDS = {
    "text_to_video": (
        *("wan3.0-video", "wan3.0-video-prime", "wan2.7-t2v-2026-06-12", "wan2.7-t2v", "wan2.7-t2v-2026-04-25"),
        *("happyhorse-1.1-t2v", "happyhorse-1.0-t2v", "wan2.6-t2v", "wan2.6-t2v-us", "wan2.5-t2v-preview"),
        *("wan2.2-t2v-plus", "wanx2.1-t2v-turbo", "wanx2.1-t2v-plus"),
    ),
    "reference_to_video": (
        *("wan3.0-video", "wan3.0-video-prime", "wan2.7-r2v-2026-06-12", "wan2.7-r2v"),
        *("happyhorse-1.1-r2v", "happyhorse-1.0-r2v", "wan2.6-r2v", "wan2.6-r2v-flash"),
    ),
    "video_edit": ("wan2.7-videoedit", "wan3.0-video", "wan3.0-video-prime", "happyhorse-1.0-video-edit"),
    "video_extension": ("wan3.0-video", "wan3.0-video-prime"),
}
PAIRS = [(job, name) for job, names in IDS.items() for name in names]

# Its column "Regions".
EVERYWHERE = REGION_NAMES
HORSE_REGIONS = ("beijing", "singapore", "virginia", "frankfurt", "tokyo")
AT_HOME = ("beijing", "singapore")
GLOBAL = ("beijing", "singapore", "virginia", "frankfurt")
REGIONS_OF = {
    "wan3.0-video": EVERYWHERE,
    "wan3.0-video-prime": EVERYWHERE,
    "wan2.7-t2v": AT_HOME,
    "wan2.7-t2v-2026-04-25": AT_HOME,
    "wan2.7-t2v-2026-06-12": AT_HOME,
    "wan2.7-r2v": AT_HOME,
    "wan2.7-r2v-2026-06-12": AT_HOME,
    "wan2.7-videoedit": AT_HOME,
    "happyhorse-1.1-t2v": HORSE_REGIONS,
    "happyhorse-1.0-t2v": HORSE_REGIONS,
    "happyhorse-1.1-r2v": HORSE_REGIONS,
    "happyhorse-1.0-r2v": HORSE_REGIONS,
    "happyhorse-1.0-video-edit": HORSE_REGIONS,
    "wan2.6-t2v": GLOBAL,
    "wan2.6-t2v-us": ("virginia",),
    "wan2.6-r2v": GLOBAL,
    "wan2.6-r2v-flash": AT_HOME,
    "wan2.5-t2v-preview": AT_HOME,
    "wan2.2-t2v-plus": AT_HOME,
    "wanx2.1-t2v-turbo": AT_HOME,
    "wanx2.1-t2v-plus": AT_HOME,
}
SINGAPORE_NAMES = {"wanx2.1-t2v-turbo": "wan2.1-t2v-turbo", "wanx2.1-t2v-plus": "wan2.1-t2v-plus"}

# other-jobs.md 5: a second at 480P, 720P and 1080P, CNY and in Singapore USD. What is not in a list has no price.
NOTHING = (None, None, None)
PRICES_2_7 = {"beijing": (None, 0.6, 1.0), "singapore": (None, 0.10, 0.15)}
PRICES_2_6 = {**PRICES_2_7, "virginia": (None, 0.6, 1.0), "frankfurt": (None, 0.6, 1.0)}
PRICES_1_1 = {"beijing": (0.45, 0.9, 1.2), "singapore": (0.07, 0.14, 0.18)}
PRICES_1_0 = {
    "beijing": (None, 0.9, 1.6),
    "singapore": (None, 0.14, 0.24),
    "virginia": (None, 0.9, 1.6),
    "frankfurt": (None, 0.9, 1.6),
}
PRICES = {
    "wan3.0-video": {**dict.fromkeys(REGION_NAMES, (0.3, 0.6, 1.2)), "singapore": (0.05, 0.10, 0.20)},
    "wan3.0-video-prime": {**dict.fromkeys(REGION_NAMES, (0.45, 0.9, 1.8)), "singapore": (0.068, 0.14, 0.28)},
    "wan2.7-t2v": PRICES_2_7,
    "wan2.7-t2v-2026-04-25": PRICES_2_7,
    "wan2.7-t2v-2026-06-12": PRICES_2_7,
    "wan2.7-r2v": PRICES_2_7,
    "wan2.7-r2v-2026-06-12": PRICES_2_7,
    "wan2.7-videoedit": PRICES_2_7,
    "happyhorse-1.1-t2v": PRICES_1_1,
    "happyhorse-1.1-r2v": PRICES_1_1,
    "happyhorse-1.0-t2v": PRICES_1_0,
    "happyhorse-1.0-r2v": PRICES_1_0,
    "happyhorse-1.0-video-edit": PRICES_1_0,
    "wan2.6-t2v": PRICES_2_6,
    "wan2.6-t2v-us": {"virginia": (None, 0.733924, 1.100886)},
    "wan2.6-r2v": PRICES_2_6,
    "wan2.6-r2v-flash": {"beijing": (None, 0.3, 0.5), "singapore": (None, 0.05, 0.075)},
    "wan2.5-t2v-preview": {"beijing": (0.3, 0.6, 1.0), "singapore": (0.05, 0.10, 0.15)},
    "wan2.2-t2v-plus": {"beijing": (0.14, None, 0.70), "singapore": (0.02, None, 0.10)},
    "wanx2.1-t2v-turbo": {"beijing": (0.24, 0.24, None), "singapore": (0.036, 0.036, None)},
    "wanx2.1-t2v-plus": {"beijing": (None, 0.70, None), "singapore": (None, 0.10, None)},
}
SILENT_PRICES = {"wan2.6-r2v-flash": {"beijing": (None, 0.15, 0.25), "singapore": (None, 0.025, 0.0375)}}
LISTS = {"wan3.0": "2026-09-16", "happyhorse-1.1": "2026-09-12"}

FIVE = ("16:9", "9:16", "1:1", "4:3", "3:4")
NINE = (*FIVE, "4:5", "5:4", "9:21", "21:9")
SEVEN = ("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
TO_15, TO_30, TO_10, HORSE_SECONDS = range(2, 16), range(2, 31), range(2, 11), range(3, 16)


@dataclass(frozen=True)
class Facts:
    """other-jobs.md 0, 1.2, 2.2 to 2.5, 3 and 6 for one row.

    `rate` is submissions a second and tasks at once, `queue` the tasks that wait and the hours until the service gives
    one up. `media` has the least and most of each kind, `most` the maximum of all references together.
    """

    tiers: tuple[str, ...]
    seconds: tuple[int, ...]
    ratios: tuple[str, ...]
    prompt: int
    audio: str
    default: str = "1080P"
    sound: tuple[int, int] | None = None
    negative: bool = False
    extend: bool = True
    shots: bool = False
    needs_prompt: bool = True
    chinese: int = 1
    fps: int = 30
    rate: tuple[float, int] = (5, 5)
    queue: tuple[int, int] = (500, 3)
    media: tuple[tuple[str, int, int], ...] = ()
    most: int = 0
    with_clip: tuple[int, ...] = ()
    total: int = 0
    billing: str = "output"
    voice: tuple[int, int] | None = None
    settings: tuple[str, ...] = ()
    inline: bool = True
    uploads: bool = True


def facts(tiers, seconds, ratios, prompt, audio, **more):
    return Facts(tiers, tuple(seconds), ratios, prompt, audio, **more)


UPPER = ("720P", "1080P")
WAN_3 = {"rate": (50 / 60, 5), "queue": (200, 8)}
HORSE = {"extend": False, "chinese": 2, "fps": 24}
IN_AND_OUT = {"billing": "input and output"}
WAN_3_CLIP = (("reference_video", 1, 1), ("reference_image", 0, 10))
SLOW = {"negative": True, "rate": (2, 2)}
T_3 = facts(TIERS, TO_30, SEVEN, 20_000, "choice", **WAN_3)
T_2_7 = facts(UPPER, TO_15, FIVE, 5000, "always", sound=(2, 30), negative=True)
R_3 = facts(
    *(TIERS, TO_30, SEVEN, 20_000, "choice"),
    media=(("reference_image", 0, 10), ("reference_video", 0, 5), ("reference_audio", 0, 5)),
    most=20,
    total=30,
    sound=(1, 15),
    **WAN_3,
    **IN_AND_OUT,
)
R_2_7 = facts(
    *(UPPER, TO_15, FIVE, 5000, "always"),
    negative=True,
    media=(("first_frame", 0, 1), ("reference_image", 0, 5), ("reference_video", 0, 5)),
    most=5,
    with_clip=tuple(TO_10),
    billing="share of clips",
    voice=(1, 10),
)
HORSE_IMAGES = {"media": (("reference_image", 1, 9),), "most": 9, "uploads": False}
R_2_6 = {
    "negative": True,
    "extend": False,
    "shots": True,
    "media": (("reference_image", 0, 5), ("reference_video", 0, 3)),
    "most": 5,
    "billing": "share of references",
    "inline": False,
}
E_3 = facts(*(TIERS, (0, *TO_30), SEVEN, 20_000, "choice"), media=WAN_3_CLIP, most=11, total=30, **WAN_3, **IN_AND_OUT)
X_3 = facts(
    *(TIERS, TO_30, ("adaptive",), 20_000, "choice"), media=WAN_3_CLIP, most=11, total=30, **WAN_3, **IN_AND_OUT
)

FACTS = {
    ("text_to_video", "wan3.0-video"): T_3,
    ("text_to_video", "wan3.0-video-prime"): T_3,
    ("text_to_video", "wan2.7-t2v"): T_2_7,
    ("text_to_video", "wan2.7-t2v-2026-04-25"): T_2_7,
    ("text_to_video", "wan2.7-t2v-2026-06-12"): T_2_7,
    ("text_to_video", "happyhorse-1.1-t2v"): facts(TIERS, HORSE_SECONDS, NINE, 5000, "always", **HORSE),
    ("text_to_video", "happyhorse-1.0-t2v"): facts(UPPER, HORSE_SECONDS, NINE, 5000, "always", **HORSE),
    ("text_to_video", "wan2.6-t2v"): facts(
        UPPER, TO_15, FIVE, 1500, "always", sound=(3, 30), negative=True, shots=True
    ),
    ("text_to_video", "wan2.6-t2v-us"): facts(
        UPPER, (5, 10), FIVE, 1500, "always", sound=(3, 30), negative=True, shots=True
    ),
    ("text_to_video", "wan2.5-t2v-preview"): facts(TIERS, (5, 10), FIVE, 1500, "always", sound=(3, 30), negative=True),
    ("text_to_video", "wan2.2-t2v-plus"): facts(("480P", "1080P"), (5,), FIVE, 800, "never", **SLOW),
    ("text_to_video", "wanx2.1-t2v-turbo"): facts(("480P", "720P"), (5,), FIVE, 800, "never", default="720P", **SLOW),
    ("text_to_video", "wanx2.1-t2v-plus"): facts(("720P",), (5,), FIVE, 800, "never", default="720P", **SLOW),
    ("reference_to_video", "wan3.0-video"): R_3,
    ("reference_to_video", "wan3.0-video-prime"): R_3,
    ("reference_to_video", "wan2.7-r2v"): R_2_7,
    ("reference_to_video", "wan2.7-r2v-2026-06-12"): R_2_7,
    ("reference_to_video", "happyhorse-1.1-r2v"): facts(
        TIERS, HORSE_SECONDS, NINE, 5000, "always", **HORSE, **HORSE_IMAGES
    ),
    ("reference_to_video", "happyhorse-1.0-r2v"): facts(
        UPPER, HORSE_SECONDS, NINE, 5000, "always", **HORSE, **HORSE_IMAGES
    ),
    ("reference_to_video", "wan2.6-r2v"): facts(UPPER, TO_10, FIVE, 1500, "always", **R_2_6),
    ("reference_to_video", "wan2.6-r2v-flash"): facts(UPPER, TO_10, FIVE, 1500, "choice", **R_2_6),
    ("video_edit", "wan2.7-videoedit"): facts(
        *(UPPER, (0, *TO_10), ("adaptive", *FIVE), 5000, "always"),
        negative=True,
        needs_prompt=False,
        media=(("video", 1, 1), ("reference_image", 0, 4)),
        most=5,
        settings=("auto", "origin"),
        **IN_AND_OUT,
    ),
    ("video_edit", "wan3.0-video"): E_3,
    ("video_edit", "wan3.0-video-prime"): E_3,
    ("video_edit", "happyhorse-1.0-video-edit"): facts(
        *(UPPER, (0,), (), 5000, "always"),
        media=(("video", 1, 1), ("reference_image", 0, 5)),
        most=6,
        settings=("auto", "origin"),
        uploads=False,
        **HORSE,
        **IN_AND_OUT,
    ),
    ("video_extension", "wan3.0-video"): X_3,
    ("video_extension", "wan3.0-video-prime"): X_3,
}

# other-jobs.md 1.3: the pixels of each tier in the order of the five ratios; 480P has three of them.
SIZES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}
SIZED = {
    *("wan2.6-t2v", "wan2.6-t2v-us", "wan2.5-t2v-preview", "wan2.2-t2v-plus", "wanx2.1-t2v-turbo"),
    *("wanx2.1-t2v-plus", "wan2.6-r2v", "wan2.6-r2v-flash"),
}
