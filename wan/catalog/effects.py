"""The table of video effects: templates with which the two wanx2.1 models animate an image, without a prompt.

Source: the service's page on Wan video effects. English names other than Squeeze and Magic Levitation are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..frozen import frozen

_TURBO = "wanx2.1-i2v-turbo"
_PLUS = "wanx2.1-i2v-plus"
_BOTH = (_TURBO, _PLUS)

_ANY = "any subject"
_ANY_CLEAR = "any subject that stands out from the background"
_PERSON = "one person, half to full body, facing the camera"
_PERSON_HALF = "one person, half body, facing the camera"
_PERSON_FULL = "one person, full body, facing the camera"
_CREATURE_FULL = "one person or animal, full body, facing the camera"
_CREATURE_HANDS = "one person or animal, half to full body, facing the camera, hands not visible"
_COUPLE = "two people, half or full body, facing the camera or each other"


@frozen
class Effect:
    """One template: its id, its names, the models that support it and the content that its image should show."""

    id: str
    zh: str
    en: str
    models: tuple[str, ...]
    image: str


_ROWS = (
    Effect("squish", "解压捏捏", "Squeeze", _BOTH, _ANY_CLEAR),
    Effect("rotation", "转圈圈", "Spin Around", _BOTH, _ANY),
    Effect("poke", "戳戳乐", "Poke", _BOTH, _ANY),
    Effect("inflate", "气球膨胀", "Balloon Inflate", _BOTH, _ANY),
    Effect("dissolve", "分子扩散", "Molecular Dissolve", _BOTH, _ANY),
    Effect("carousel", "时光木马", "Time Carousel", _BOTH, _PERSON),
    Effect("singleheart", "爱你哟", "Finger Heart", _BOTH, _PERSON),
    Effect("flying", "魔法悬浮", "Magic Levitation", _BOTH, _CREATURE_FULL),
    Effect("rose", "赠人玫瑰", "Gift of a Rose", _BOTH, _CREATURE_HANDS),
    Effect("crystalrose", "闪亮玫瑰", "Crystal Rose", _BOTH, _CREATURE_HANDS),
    Effect("hug", "爱的抱抱", "Loving Hug", _BOTH, _COUPLE),
    Effect("frenchkiss", "唇齿相依", "French Kiss", _BOTH, _COUPLE),
    Effect("coupleheart", "双倍心动", "Couple Heart", _BOTH, _COUPLE),
    Effect("melt", "热浪融化", "Heat Melt", (_PLUS,), _ANY),
    Effect("icecream", "冰淇淋星球", "Ice Cream Planet", (_PLUS,), _ANY),
    Effect("dance1", "摇摆时刻", "Swing Time", (_PLUS,), _PERSON),
    Effect("dance2", "头号甩舞", "Top Swing Dance", (_PLUS,), _PERSON_FULL),
    Effect("dance3", "星摇时刻", "Star Shake", (_PLUS,), _PERSON_FULL),
    Effect("dance4", "指感节奏", "Finger Groove", (_PLUS,), _PERSON),
    Effect("dance5", "舞动开关", "Dance Switch", (_PLUS,), _PERSON),
    Effect("mermaid", "人鱼觉醒", "Mermaid Awakening", (_PLUS,), _PERSON_HALF),
    Effect("graduation", "学术加冕", "Graduation", (_PLUS,), _PERSON),
    Effect("dragon", "巨兽追袭", "Dragon Chase", (_PLUS,), _PERSON),
    Effect("money", "财从天降", "Money Rain", (_PLUS,), _PERSON),
    Effect("jellyfish", "水母之约", "Jellyfish Date", (_PLUS,), _PERSON),
    Effect("pupil", "瞳孔穿越", "Through the Pupil", (_PLUS,), _PERSON),
)

EFFECTS: Mapping[str, Effect] = MappingProxyType({row.id: row for row in _ROWS})
"""Every template by its id, in the order of the widget."""
