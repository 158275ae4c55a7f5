"""Writes a record every 5 ms with librdkafka's own defaults, and says how long the longest waited: package gap."""
import sys
import threading
import time

from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": sys.argv[1], "log_level": 0})
lock = threading.Lock()
seen = {"worst": 0.0, "failed": 0, "acked": 0}


def told(due):
    def report(problem, _):
        with lock:
            if problem is not None:
                seen["failed"] += 1
            else:
                seen["acked"] += 1
                seen["worst"] = max(seen["worst"], time.monotonic() - due)
    return report


def write():
    due = time.monotonic()
    while True:
        producer.poll(max(0, due - time.monotonic()))
        if time.monotonic() >= due:
            producer.produce(sys.argv[2], bytes(16), on_delivery=told(due))
            due += 0.005


threading.Thread(target=write, daemon=True).start()
for _ in sys.stdin:
    with lock:
        print(seen["worst"] * 1e3, seen["failed"], seen["acked"], flush=True)
        seen["worst"] = 0.0
