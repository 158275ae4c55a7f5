"""Drives confluent-kafka-python (librdkafka) for package driver, which describes the protocol."""

import sys
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from lines import header_list, header_pairs, say, stamp, to_bytes, to_text, records


def produce(bootstrap, topic, codec, *settings):
    producer = Producer({
        "bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5,
    } | dict(pair.split("=", 1) for pair in settings))
    waiting = []  # one slot per record: acks leave in the order of the input, whatever partition answers first

    def emit():
        while waiting and waiting[0]:
            say(waiting.pop(0))

    def delivered(slot):
        def done(error, message):
            slot.update({"error": str(error)} if error else
                        {"partition": message.partition(), "offset": message.offset()})
            emit()
        return done

    stop = threading.Event()

    def poll():
        while not stop.is_set():
            producer.poll(0.02)
    poller = threading.Thread(target=poll)
    poller.start()
    for r in records():
        slot = {}
        waiting.append(slot)
        producer.produce(topic, partition=r["partition"], key=to_bytes(r["key"]), value=to_bytes(r["value"]),
                         timestamp=r["timestamp"], headers=header_pairs(r), on_delivery=delivered(slot))
    left = producer.flush(60)
    stop.set()
    poller.join()
    return 1 if left else 0


def commit(consumer, topic, consumed, metadata):
    """Commits what was said of the partitions that are owned, with metadata."""
    say({"event": "committing", "offsets": consumed})
    if not consumed:
        say({"event": "committed"})
        return
    try:
        offsets = [TopicPartition(topic, p, o, metadata) for p, o in consumed.items()]
        refused = [str(p.error) for p in consumer.commit(offsets=offsets, asynchronous=False) if p.error]
        say({"event": "error", "error": f"commit: {refused}"} if refused else {"event": "committed"})
    except KafkaException as error:
        say({"event": "error", "error": f"commit: {error}"})


def consume(bootstrap, topic, group, *settings):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    } | dict(pair.split("=", 1) for pair in settings))
    consumed = {}  # one past what was said
    owned = {}  # likewise, of the partitions that are owned
    commands = []

    def listen():
        for line in sys.stdin:
            commands.append(line.strip())
        commands.append("stop")
    threading.Thread(target=listen, daemon=True).start()

    def assigned(_, partitions):
        owned.clear()  # who owns a partition next goes on from what is committed
        say({"event": "assigned", "partitions": [p.partition for p in partitions]})
    consumer.subscribe([topic], on_assign=assigned, on_revoke=lambda c, _: assigned(c, []))
    while True:
        if commands:
            command = commands.pop(0)
            if command == "stop":
                break
            if command != "commit":
                commit(consumer, topic, owned, command.removeprefix("commit "))
                continue
            try:
                consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in consumed.items()], asynchronous=False)
                say({"event": "committed"})
            except KafkaException as error:
                say({"event": "error", "error": f"commit: {error}"})
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                print("confluent:", message.error(), file=sys.stderr)
            continue
        consumed[message.partition()] = owned[message.partition()] = message.offset() + 1
        say({"event": "record", "partition": message.partition(), "offset": message.offset(),
             "timestamp": stamp(message.timestamp()), "key": to_text(message.key()), "value": to_text(message.value()),
             "headers": header_list(message.headers())})
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit((produce if sys.argv[1] == "produce" else consume)(*sys.argv[2:]))
