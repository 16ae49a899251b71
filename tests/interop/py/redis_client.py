"""A consumer and producer on redis-py. It shows bodies as they are, and the fields of entries."""

import threading

import redis
from lines import SETUP, bytes_of, received, serve

GROUP = SETUP["group"]
CLIENT = redis.Redis.from_url(SETUP["url"])


def consume(events):
    streams = {event: ">" for event in events}
    while True:
        for stream, entries in CLIENT.xreadgroup(GROUP, "python", streams, count=100, block=1000):
            for entry, fields in entries:
                names = [name.decode() for name in fields]
                received(stream.decode(), fields[b"data"], {"id": entry.decode(), "fields": names})
                CLIENT.xack(stream, GROUP, entry)


def subscribe(events):
    for event in events:
        try:
            CLIENT.xgroup_create(event, GROUP, "0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
    threading.Thread(target=consume, args=(events,), daemon=True).start()


def publish(event, body=None, bytes=None):
    CLIENT.xadd(event, {"data": bytes_of(body, bytes)})


serve({"subscribe": subscribe, "publish": publish})
