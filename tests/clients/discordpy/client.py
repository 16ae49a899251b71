"""A bot on discord.py. It reports what it gets on STDOUT, one JSON object a line, and ends when STDIN does."""

import asyncio
import json
import logging
import os
import sys

if os.environ["GATEWAY_COMPRESSION"] == "zlib":
    # discord.py takes zstd wherever it can be imported.
    sys.modules["zstandard"] = sys.modules["compression.zstd"] = None

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

API = os.environ["GATEWAY_API"]
INTENTS = int(os.environ["GATEWAY_INTENTS"])
TOKEN = os.environ["GATEWAY_TOKEN"]


def report(**line):
    print(json.dumps(line), flush=True)


class Client(discord.AutoShardedClient):
    """Reports each kind of event that discord.py makes of the dispatches."""

    def __init__(self):
        super().__init__(intents=discord.Intents._from_value(INTENTS))
        self.seen = set()

    def dispatch(self, event, /, *args, **kwargs):
        if event not in self.seen and not event.startswith("socket_"):
            self.seen.add(event)
            report(report="decoded", name=event)
        super().dispatch(event, *args, **kwargs)

    async def before_identify_hook(self, shard_id, *, initial=False):
        limits = await self.fetch_session_start_limits()
        if limits.max_concurrency == 1:
            await super().before_identify_hook(shard_id, initial=initial)

    async def on_error(self, event, /, *args, **kwargs):
        report(report="problem", text=f"{event}: {sys.exc_info()[1]!r}")


class Problems(logging.Handler):
    """Reports what discord.py warns of."""

    def emit(self, record):
        report(report="problem", text=self.format(record))


def report_payload(socket, text):
    payload = json.loads(text)
    if payload["op"] == DiscordWebSocket.DISPATCH:
        report(report="dispatch", shard=socket.shard_id, sequence=payload["s"], name=payload["t"])
    elif payload["op"] == DiscordWebSocket.HEARTBEAT_ACK:
        report(report="ack", shard=socket.shard_id)


async def main():
    # It speaks to nothing but the simulator, whatever happens.
    Route.BASE = f"{API}/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(API.replace("http", "ws", 1)).origin()
    DiscordWebSocket.log_receive = report_payload
    # Voice is not what this is about.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    logging.getLogger("discord").addHandler(Problems(level=logging.WARNING))

    async with Client() as client:
        bot = asyncio.create_task(client.start(TOKEN))
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait([bot, told], return_when=asyncio.FIRST_COMPLETED)
        if bot.done():
            bot.result()
        await client.close()
        await bot


asyncio.run(main())
