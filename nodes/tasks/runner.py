"""From an order to saved videos, in parallel up to the model's running limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ..errors import WanError
from ..service.errors import AccessRefused, KeyRefused
from ..service.models import MODELS
from ..service.regions import Region
from ..service.request import cost
from .item import Item
from .material import Material
from .order import Order, check_order
from .probe import point_to_working_regions
from .saving import SavedVideo
from .session import open_session
from .threads import in_thread
from .watch import BatchProgress, ItemProgress, Watch, cancel, until_stopped

logger = logging.getLogger("dashscope_wan")


class Place:
    """One of the places for tasks that the service runs at once, held inside the `with` block or until it is left."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._held = False

    async def __aenter__(self) -> Place:
        await self._places.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Make room for the next task. Calling it again does nothing."""
        if self._held:
            self._held = False
            self._places.release()


class BatchIncomplete(WanError):
    """Some videos of a batch were made and others were not. `videos` are the saved ones."""

    def __init__(self, what: str, *, do: str, videos: Sequence[SavedVideo]) -> None:
        super().__init__(what, do=do)
        self.videos = tuple(videos)


async def make_videos(order: Order, *, watch: Watch) -> list[SavedVideo]:
    """Make one video for each picture of an order and return them in order.

    Raises:
        InvalidRequest: something is not possible; nothing was sent.
        BatchIncomplete: some of several videos were not made.
        WanError: what went wrong, with the task's id where there is one.
    """
    return await until_stopped(watch, _make_all(order, watch))


async def _make_all(order: Order, watch: Watch) -> list[SavedVideo]:
    found = await in_thread(check_order, order)
    for warning in found:
        logger.warning("%s", warning)
    async with open_session(order.connection, order.home) as session:
        progress = BatchProgress(watch, count=order.count, price=_price_of_all(order, session.region))
        progress.announce()
        material = Material(order, session=session)
        free = asyncio.Semaphore(MODELS[order.request.model].running_limit)
        hopeless: list[WanError] = []

        async def make(index: int) -> SavedVideo:
            async with Place(free) as place:
                # What is wrong with the account is wrong for all: the rest of the batch is not even asked for.
                if hopeless:
                    raise hopeless[0]
                item = Item(order, index=index, session=session, material=material, warnings=found, on_over=place.leave)
                try:
                    return await item.make(ItemProgress(progress, index=index))
                except (KeyRefused, AccessRefused) as error:
                    hopeless.append(error)
                    if isinstance(error, KeyRefused) and error is hopeless[0]:
                        await point_to_working_regions(error, home=order.home, region=session.region.id)
                    raise

        items = [asyncio.ensure_future(make(index)) for index in range(order.count)]
        try:
            await asyncio.wait(items)
        finally:
            # Only when interrupted is any of them still under way.
            await cancel(items)
        progress.show_links([item.exception() for item in items])
        return _collect(items)


def _price_of_all(order: Order, region: Region) -> str:
    """Return what a status adds about the cost of all videos; "" where it is not known, or nothing."""
    price = cost(order.request, region=region)
    return f", about {price['currency']} {price['amount'] * order.count:.2f}" if price and price["amount"] else ""


def _collect(items: Sequence[asyncio.Future[SavedVideo]]) -> list[SavedVideo]:
    """Return the videos of items that are all done, or raise what went wrong. One failure does not hide the others."""
    failures = {index: error for index, item in enumerate(items, 1) if (error := item.exception())}
    if not failures:
        return [item.result() for item in items]
    said = set()
    for error in failures.values():
        if not isinstance(error, WanError):
            raise error
        said.add((error.what, error.task_id))
    first = next(iter(failures.values()))
    # Where no task is concerned the same words once are enough, whatever the ids of the requests.
    if len(failures) == len(items) and len(said) == 1:
        raise first
    videos = [item.result() for item in items if not item.exception()]
    lines = [f"{len(failures)} of {len(items)} videos were not made."]
    lines += [f"- picture {index}: {error}" for index, error in failures.items()]
    lines += [f"Saved: {video.path}" for video in videos]
    raise BatchIncomplete(
        "\n".join(lines), do="Run the same graph again: what is saved is not paid again.", videos=videos
    ) from first
