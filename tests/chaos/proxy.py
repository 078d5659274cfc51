"""A TCP proxy that misbehaves on demand, as a process of its own.

    proxy.py LISTEN_PORT TARGET_PORT

Both on 127.0.0.1. Commands come on standard input, one a line, each answered with a line:

    pass              forward everything
    delay SECONDS     hold every piece back for a while
    cut BYTES         break each connection after so many more bytes of answers
    hole              forward nothing; what was held back goes on its way with `pass`
    drop              break the connections that are there; after `hole` what was held back is gone
    drip BYTES        so many bytes every 10 ms
"""
from __future__ import annotations

import asyncio
import contextlib
import sys

PIECE = 1 << 16
DRIP_EVERY = 0.01


class Proxy:
    def __init__(self, target: int) -> None:
        self.target = target
        self.mode, self.amount = "pass", 0.0
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.writers: set[asyncio.StreamWriter] = set()

    def obey(self, line: str) -> None:
        mode, _, amount = line.strip().partition(" ")
        if mode == "drop":
            for writer in list(self.writers):
                writer.transport.abort()
            return
        self.mode, self.amount = mode, float(amount or 0)
        (self.is_open.clear if mode == "hole" else self.is_open.set)()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self.writers |= both
        pumps = [asyncio.create_task(self.pump(reader, far_writer, False)),
                 asyncio.create_task(self.pump(far_reader, writer, True))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self.writers -= both
        for one in both:
            one.close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        budget: float | None = None
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self.is_open.wait()
                mode, amount = self.mode, self.amount
                if mode == "delay":
                    await asyncio.sleep(amount)
                elif mode == "drip":
                    await self.drip(writer, piece, max(1, int(amount)))
                    continue
                elif mode == "cut" and is_answer:
                    budget = amount if budget is None else budget
                    if len(piece) > budget:
                        writer.write(piece[:int(budget)])
                        await writer.drain()
                        writer.transport.abort()
                        return
                    budget -= len(piece)
                elif mode != "cut":
                    budget = None
                writer.write(piece)
                await writer.drain()

    async def drip(self, writer: asyncio.StreamWriter, piece: bytes, step: int) -> None:
        for at in range(0, len(piece), step):
            writer.write(piece[at:at + step] if self.mode == "drip" else piece[at:])
            await writer.drain()
            if self.mode != "drip":
                return
            await asyncio.sleep(DRIP_EVERY)


async def main(listen: int, target: int) -> None:
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", listen)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        proxy.obey(line.decode())
        print("done", flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
