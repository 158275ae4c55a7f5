"""Drives aiokafka (pure Python) for package driver, which describes the protocol."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from lines import header_list, header_pairs, say, to_bytes, to_text, parse


async def lines():
    """The lines of stdin, without blocking the loop."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield line.strip()


async def produce(bootstrap, topic, codec):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5,
                                compression_type=None if codec == "none" else codec, request_timeout_ms=60000)
    await producer.start()
    answers = asyncio.Queue()

    async def acknowledge():
        while (future := await answers.get()) is not None:
            try:
                meta = await future
                say({"partition": meta.partition, "offset": meta.offset})
            except KafkaError as error:
                say({"error": str(error)})
    acknowledging = asyncio.create_task(acknowledge())
    async for line in lines():
        r = parse(line)
        answers.put_nowait(await producer.send(
            topic, partition=r["partition"], key=to_bytes(r["key"]), value=to_bytes(r["value"]),
            timestamp_ms=r["timestamp"], headers=header_pairs(r)))
    answers.put_nowait(None)
    await acknowledging
    await producer.stop()


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        say({"event": "assigned", "partitions": []})

    async def on_partitions_assigned(self, assigned):
        say({"event": "assigned", "partitions": sorted(p.partition for p in assigned)})


async def consume(bootstrap, topic, group):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                                enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500,
                                fetch_max_wait_ms=200)
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    consumed = {}

    async def read():
        async for m in consumer:
            consumed[TopicPartition(topic, m.partition)] = m.offset + 1
            say({"event": "record", "partition": m.partition, "offset": m.offset, "timestamp": m.timestamp,
                 "key": to_text(m.key), "value": to_text(m.value), "headers": header_list(m.headers)})
    reading = asyncio.create_task(read())
    async for line in lines():
        if line == "stop":
            break
        try:
            await consumer.commit(dict(consumed))
            say({"event": "committed"})
        except KafkaError as error:
            say({"event": "error", "error": f"commit: {error}"})
    reading.cancel()
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run((produce if sys.argv[1] == "produce" else consume)(*sys.argv[2:5]))
