"""The line protocol of package driver, for the Python drivers."""

import base64
import json
import sys


def say(event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def parse(line):
    return json.loads(line)


def records():
    for line in sys.stdin:
        yield parse(line)


def to_bytes(text):
    return None if text is None else base64.b64decode(text)


def to_text(data):
    return None if data is None else base64.b64encode(data).decode()


def header_pairs(record):
    return [(h["key"], to_bytes(h["value"])) for h in record["headers"] or []]


def header_list(pairs):
    return [{"key": key, "value": to_text(value)} for key, value in pairs or []]


def stamp(pair):
    """librdkafka gives a kind and a timestamp."""
    return pair[1]
