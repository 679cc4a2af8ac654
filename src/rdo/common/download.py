"""Downloads over HTTP that end: within a time for all of it, and with no more than a size.

httpx limits each wait by itself. A server that sends a byte now and then could hold a download for days; so
the whole of it, the head of the answer included, has a limit as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rdo.common.errors import RdoError

#: Seconds in which something must come.
_PATIENCE = 60.0
_PART = 1 << 20


def download(
    url: str,
    take: Callable[[bytes], object],
    *,
    limit: float,
    longest: int,
    begin: Callable[[int | None], object] = lambda _: None,
) -> None:
    """Give what is at an address to ``take``, part by part, in order.

    :param limit: seconds for all of it
    :param longest: bytes that it may have, unpacked
    :param begin: told before the first part how many bytes the server says that it sends, if it does
    :raises RdoError: it takes longer, or has more; parts of it may have been taken
    :raises httpx.HTTPError: it can't be had
    """
    asyncio.run(_within(url, take, limit, longest, begin))


async def _within(
    url: str,
    take: Callable[[bytes], object],
    limit: float,
    longest: int,
    begin: Callable[[int | None], object],
) -> None:
    try:
        async with asyncio.timeout(limit):
            await _download(url, take, longest, begin)
    except TimeoutError as error:
        raise RdoError(
            f"{url} is not here after {limit:g} s.",
            hint="Run it again, or have it from a server that is nearer.",
        ) from error


async def _download(
    url: str, take: Callable[[bytes], object], longest: int, begin: Callable[[int | None], object]
) -> None:
    # it takes a while to load
    import httpx

    async with (
        httpx.AsyncClient(follow_redirects=True, timeout=_PATIENCE) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        said = answer.headers.get("content-length", "")
        size = int(said) if said.isascii() and said.isdigit() else None
        have = size or 0
        if have <= longest:
            begin(size)
            have = 0
            async for part in answer.aiter_bytes(_PART):
                have += len(part)
                if have > longest:
                    break
                take(part)
        if have > longest:
            raise RdoError(f"{url} has more than {longest >> 20} MiB, and should not.")
