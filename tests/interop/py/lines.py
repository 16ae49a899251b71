"""The line protocol between these scripts and the tests that drive them: orders come on STDIN as lines of JSON; answers to
them and what was received go to STDOUT."""

import json
import sys
import threading

SETUP = json.loads(sys.argv[1])

_lock = threading.Lock()


def _write(**line):
    with _lock:
        print(json.dumps(line), flush=True)


def received(event, body, properties):
    """Reports a message."""
    _write(event=event, kind="bytes", body=body.hex(), properties=properties)


def serve(orders):
    """Says that the script is ready, then carries out orders by their names until STDIN ends."""
    _write(answer=None)
    for line in sys.stdin:
        particulars = json.loads(line)
        _write(answer=orders[particulars.pop("order")](**particulars))


def bytes_of(body, bytes):
    """What an order says is to be published. Other bodies than bytes are written as JSON."""
    from builtins import bytes as Bytes

    return json.dumps(body).encode() if bytes is None else Bytes.fromhex(bytes)
