"""Drives confluent-kafka-python (librdkafka) for package driver, which describes the protocol."""

import sys
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from lines import header_list, header_pairs, say, stamp, to_bytes, to_text, records


def produce(bootstrap, topic, codec):
    producer = Producer({
        "bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5,
    })
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


def consume(bootstrap, topic, group):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    })
    consumed = {}
    commands = []

    def listen():
        for line in sys.stdin:
            commands.append(line.strip())
        commands.append("stop")
    threading.Thread(target=listen, daemon=True).start()
    consumer.subscribe(
        [topic],
        on_assign=lambda _, ps: say({"event": "assigned", "partitions": [p.partition for p in ps]}),
        on_revoke=lambda _, ps: say({"event": "assigned", "partitions": []}))
    while True:
        if commands:
            if commands.pop(0) == "stop":
                break
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
        consumed[message.partition()] = message.offset() + 1
        say({"event": "record", "partition": message.partition(), "offset": message.offset(),
             "timestamp": stamp(message.timestamp()), "key": to_text(message.key()), "value": to_text(message.value()),
             "headers": header_list(message.headers())})
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit((produce if sys.argv[1] == "produce" else consume)(*sys.argv[2:5]))
