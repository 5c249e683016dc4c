"""The table of models: what each Wan model takes, makes and costs.

Every rule about a model stands here once. Widgets, checks, tooltips, the README's table and the offline stand-in read
it. Sources: the service's API reference of the first-frame models (May 2026), its rate-limit page (2026-05-27) and its
price list (2026-05-26, printed in CNY for all regions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from .regions import OFFLINE

PRICES_AS_OF = "2026-05-26"
CURRENCY = "CNY"

DEFAULT_MODEL = "wan2.6-i2v-flash"
DEFAULT_DURATION = 5
SHOT_TYPES = ("single", "multi")
RESOLUTIONS = ("480P", "720P", "1080P")
SEED_MAX = 2_147_483_647
NEGATIVE_PROMPT_LIMIT = 500
IMAGE_SIDE = (240, 8000)
AUDIO_SECONDS = (3, 30)
AUDIO_BYTES = 15 * 1024 * 1024

IMG_URL = "img_url"
"""The input schema of the eight first-frame models: `input.img_url`, with `audio_url` and `template` beside it."""


@dataclass(frozen=True)
class Offer:
    """A model as one region sells it: the id its API wants there and the price per second of output, by tier.

    `silent_price` holds the lower price of `audio: false` where there is one. A tier that the region's price list does
    not name is missing from `price`. `sure_durations` are the only ones that some of the service's pages name for the
    region, where its pages differ; empty where they agree.
    """

    name: str
    price: Mapping[str, float]
    silent_price: Mapping[str, float] = field(default_factory=dict)
    sure_durations: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "price", MappingProxyType(dict(self.price)))
        object.__setattr__(self, "silent_price", MappingProxyType(dict(self.silent_price)))


@dataclass(frozen=True)
class Model:
    """One model's rules.

    `durations` are seconds. `prompt_limit` counts characters; the service cuts what is longer. `submit_rate` is tasks a
    second and `running_limit` tasks at once, both per main account. `usual_wait` is the documented or measured span, in
    seconds, from submission to the finished video.
    """

    id: str
    resolutions: tuple[str, ...]
    default_resolution: str
    durations: tuple[int, ...]
    prompt_limit: int
    image_bytes: int
    audio_input: bool
    audio_switch: bool
    shot_types: tuple[str, ...]
    effects: bool
    submit_rate: int
    running_limit: int
    offers: Mapping[str, Offer]
    usual_wait: tuple[int, int] = (60, 300)
    input_schema: str = IMG_URL

    def __post_init__(self) -> None:
        object.__setattr__(self, "offers", MappingProxyType(dict(self.offers)))

    def name_in(self, region: str) -> str | None:
        """Return the id this model goes by in a region, or None where the region does not have it."""
        if region == OFFLINE:
            return self.id
        offer = self.offers.get(region)
        return offer.name if offer else None

    @property
    def always_silent(self) -> bool:
        """Whether no video of this model has sound."""
        return not self.audio_input

    def has_sound(self, *, generate_audio: bool) -> bool:
        """Whether the video will have a sound track."""
        return self.audio_input and (generate_audio or not self.audio_switch)

    def price_per_second(self, *, region: str, resolution: str, generate_audio: bool) -> float | None:
        """Return the list price in CNY per second of video, or None where the region's list does not name it.

        The offline stand-in costs nothing.
        """
        if region == OFFLINE:
            return 0.0
        offer = self.offers.get(region)
        if offer is None:
            return None
        if self.audio_switch and not generate_audio and resolution in offer.silent_price:
            return offer.silent_price[resolution]
        return offer.price.get(resolution)


def _tiers(*prices: float | None) -> dict[str, float]:
    """Prices in the order of RESOLUTIONS, None where the tier is not sold."""
    return {tier: price for tier, price in zip(RESOLUTIONS, prices, strict=True) if price is not None}


_MB = 1024 * 1024
_ANY_2_TO_15 = tuple(range(2, 16))

_ROWS = (
    Model(
        id="wan2.6-i2v-flash",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=_ANY_2_TO_15,
        prompt_limit=1500,
        image_bytes=20 * _MB,
        audio_input=True,
        audio_switch=True,
        shot_types=SHOT_TYPES,
        effects=False,
        submit_rate=5,
        running_limit=5,
        usual_wait=(59, 73),
        offers={
            "beijing": Offer("wan2.6-i2v-flash", _tiers(None, 0.3, 0.5), _tiers(None, 0.15, 0.25)),
            "singapore": Offer("wan2.6-i2v-flash", _tiers(None, 0.366962, 0.550443), _tiers(None, 0.183481, 0.275221)),
        },
    ),
    Model(
        id="wan2.6-i2v",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=_ANY_2_TO_15,
        prompt_limit=1500,
        image_bytes=20 * _MB,
        audio_input=True,
        audio_switch=False,
        shot_types=SHOT_TYPES,
        effects=False,
        submit_rate=5,
        running_limit=5,
        offers={
            "beijing": Offer("wan2.6-i2v", _tiers(None, 0.6, 1.0)),
            "singapore": Offer("wan2.6-i2v", _tiers(None, 0.733924, 1.100886)),
            "virginia": Offer("wan2.6-i2v", _tiers(None, 0.6, 1.0), sure_durations=(5, 10, 15)),
            "frankfurt": Offer("wan2.6-i2v", _tiers(None, 0.6, 1.0), sure_durations=(5, 10, 15)),
        },
    ),
    Model(
        id="wan2.6-i2v-us",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=(5, 10, 15),
        prompt_limit=1500,
        image_bytes=20 * _MB,
        audio_input=True,
        audio_switch=False,
        shot_types=SHOT_TYPES,
        effects=False,
        submit_rate=5,
        running_limit=5,
        offers={"virginia": Offer("wan2.6-i2v-us", _tiers(None, 0.733924, 1.100886))},
    ),
    Model(
        id="wan2.5-i2v-preview",
        resolutions=("480P", "720P", "1080P"),
        default_resolution="1080P",
        durations=(5, 10),
        prompt_limit=1500,
        image_bytes=20 * _MB,
        audio_input=True,
        audio_switch=False,
        shot_types=(),
        effects=False,
        submit_rate=5,
        running_limit=5,
        usual_wait=(220, 600),
        offers={
            "beijing": Offer("wan2.5-i2v-preview", _tiers(0.3, 0.6, 1.0)),
            "singapore": Offer("wan2.5-i2v-preview", _tiers(0.366961, 0.733923, 1.100885)),
        },
    ),
    Model(
        id="wan2.2-i2v-flash",
        resolutions=("480P", "720P", "1080P"),
        default_resolution="720P",
        durations=(5,),
        prompt_limit=800,
        image_bytes=10 * _MB,
        audio_input=False,
        audio_switch=False,
        shot_types=(),
        effects=False,
        submit_rate=2,
        running_limit=2,
        offers={
            "beijing": Offer("wan2.2-i2v-flash", _tiers(0.10, 0.20, 0.48)),
            "singapore": Offer("wan2.2-i2v-flash", _tiers(0.110089, 0.264213, None)),
        },
    ),
    Model(
        id="wan2.2-i2v-plus",
        resolutions=("480P", "1080P"),
        default_resolution="1080P",
        durations=(5,),
        prompt_limit=800,
        image_bytes=10 * _MB,
        audio_input=False,
        audio_switch=False,
        shot_types=(),
        effects=False,
        submit_rate=2,
        running_limit=2,
        offers={
            "beijing": Offer("wan2.2-i2v-plus", _tiers(0.14, None, 0.70)),
            "singapore": Offer("wan2.2-i2v-plus", _tiers(0.146785, None, 0.733924)),
        },
    ),
    Model(
        id="wanx2.1-i2v-turbo",
        resolutions=("480P", "720P"),
        default_resolution="720P",
        durations=(3, 4, 5),
        prompt_limit=800,
        image_bytes=10 * _MB,
        audio_input=False,
        audio_switch=False,
        shot_types=(),
        effects=True,
        submit_rate=2,
        running_limit=2,
        offers={
            "beijing": Offer("wanx2.1-i2v-turbo", _tiers(0.24, 0.24, None)),
            "singapore": Offer("wan2.1-i2v-turbo", _tiers(0.264213, 0.264213, None)),
        },
    ),
    Model(
        id="wanx2.1-i2v-plus",
        resolutions=("720P",),
        default_resolution="720P",
        durations=(5,),
        prompt_limit=800,
        image_bytes=10 * _MB,
        audio_input=False,
        audio_switch=False,
        shot_types=(),
        effects=True,
        submit_rate=2,
        running_limit=2,
        offers={
            "beijing": Offer("wanx2.1-i2v-plus", _tiers(None, 0.70, None)),
            "singapore": Offer("wan2.1-i2v-plus", _tiers(None, 0.733924, None)),
        },
    ),
)

MODELS: Mapping[str, Model] = MappingProxyType({row.id: row for row in _ROWS})
"""Every model by the id that the widget offers, in the order of the widget."""

REGIONAL_NAMES: Mapping[str, Model] = MappingProxyType(
    {name: row for row in _ROWS for name in {row.id, *(offer.name for offer in row.offers.values())}}
)
"""Every model by any id that some region's API knows it by."""


def models_with(rule: str) -> list[str]:
    """Ids of the models whose row has `rule` set, for messages that offer another model.

    `rule` is the name of a field, such as "audio_switch", "shot_types" or "effects".
    """
    return [row.id for row in _ROWS if getattr(row, rule)]


def choices(values: Sequence[object]) -> str:
    """Say a set of allowed values: "5", "3, 4 or 5", "2 to 15"."""
    words = [str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} to {words[-1]}"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"
