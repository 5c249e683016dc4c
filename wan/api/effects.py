"""The rules of requests for effects."""

from __future__ import annotations

from ..catalog.effects import EFFECTS
from ..catalog.fields import VideoRequest
from ..catalog.regions import REGIONS, Region
from ..catalog.spec import Model
from ..messages import Message
from ..text import format_choices


def effect_problems(request: VideoRequest, model: Model, region: Region) -> list[str]:
    """Return the problems of the effect of a request: its model's and its region's."""
    effect = EFFECTS.get(request.template)
    if effect is None:
        return []
    problems: list[str] = []
    if model.id not in effect.models:
        problems.append(
            Message(
                "template: {effect} is not supported by {model}; choose {choices}",
                effect=effect.id,
                model=model.id,
                choices=format_choices(effect.models),
            )
        )
    if not region.effects:
        having = [row.title for row in REGIONS.values() if row.effects and not row.simulated]
        problems.append(
            Message(
                "template: effects are not available in {region}, only in {choices}",
                region=region.title,
                choices=format_choices(having),
            )
        )
    return problems
