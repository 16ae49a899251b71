"""Decodes the frames of a gateway's STDOUT, which comes as STDIN, as JSON values one after another, and prints the data of
each, without its filler."""

import json
import re
import sys

SPACE = re.compile(r"\s*")

text = sys.stdin.read()
at = SPACE.match(text).end()
while at < len(text):
    frame, at = json.JSONDecoder().raw_decode(text, at)
    at = SPACE.match(text, at).end()
    del frame["data"]["filler"]
    print(json.dumps(frame["data"]))
