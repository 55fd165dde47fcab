"""A TCP relay that adds 40 ms of round trip: `python relay.py PORT TARGET_PORT`.

Each piece of bytes is passed on 20 ms after it came, in both directions, in order. A kernel accepts a connection at once, so the
round trip of the handshake is made up for by holding a client's first bytes for one round trip more.
"""

from __future__ import annotations

import asyncio
import sys

ROUND_TRIP_S = 0.040
_PIECE = 256 * 1024
#: Pieces on their way in one direction of one connection: a window of 16 MiB, which 20 ms hardly fill.
_WINDOW = 64


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, held_until: float) -> None:
    """Pass bytes on until the source ends, each piece half a round trip after it came, and none before `held_until`."""
    now = asyncio.get_running_loop().time
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WINDOW)

    async def take() -> None:
        piece = b"first"
        while piece:
            piece = await source.read(_PIECE)
            await way.put((max(now() + ROUND_TRIP_S / 2, held_until), piece))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, piece = await way.get()
            await asyncio.sleep(max(0.0, due - now()))
            if not piece:
                return
            target.write(piece)
            await target.drain()
    except ConnectionError:
        return
    finally:
        taking.cancel()
        target.close()


async def serve(port: int, target: int) -> None:
    """Relay for ever."""

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        handshake_done = asyncio.get_running_loop().time() + ROUND_TRIP_S * 1.5
        server, to_server = await asyncio.open_connection("127.0.0.1", target, limit=_PIECE)
        await asyncio.gather(_carry(client, to_server, handshake_done), _carry(server, to_client, 0.0), return_exceptions=True)

    listening = await asyncio.start_server(connected, "127.0.0.1", port, limit=_PIECE)
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
