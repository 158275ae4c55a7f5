// Drives kafkajs for package driver, which describes the protocol. MODULES names the node_modules folder.
'use strict'
const path = require('path')
const readline = require('readline')
const load = (name) => require(path.join(process.env.MODULES, name))
const { Kafka, logLevel, CompressionTypes, CompressionCodecs } = load('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = load('kafkajs-snappy')

// lz4-napi and zstd-codec are plain compressors; kafkajs wants an object with two async functions around them. (The
// frames of lz4js say that their blocks depend on each other, which Kafka refuses.)
CompressionCodecs[CompressionTypes.LZ4] = () => {
  const lz4 = load('lz4-napi')
  return {
    compress: (encoder) => lz4.compressFrame(encoder.buffer),
    decompress: (buffer) => lz4.decompressFrame(buffer),
  }
}
const zstd = () => new Promise((resolve) => load('zstd-codec').ZstdCodec.run((z) => resolve(new z.Simple())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd()).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd()).decompress(buffer)),
})

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const [, , mode, bootstrap, topic, last] = process.argv
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n')
const bytes = (text) => (text === null || text === undefined ? null : Buffer.from(text, 'base64'))
const text = (buffer) => (buffer === null || buffer === undefined ? null : buffer.toString('base64'))
const log = () => ({ label, log: { message, ...more } }) =>
  process.stderr.write(`kafkajs ${label} ${message} ${JSON.stringify(more)}\n`)
const kafka = new Kafka({
  clientId: 'compat',
  brokers: [bootstrap],
  logLevel: logLevel.WARN,
  logCreator: log,
  retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 60 },
})

async function produce() {
  // An idempotent producer of kafkajs sends one request at a time, so the acks come in the order of the input.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let waiting = []
  let sending = Promise.resolve()
  const flush = async () => {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return
    const sent = await producer.send({ topic, acks: -1, compression: codecs[last], messages: batch })
    const next = {}
    for (const s of sent) next[s.partition] = BigInt(s.baseOffset)
    for (const m of batch) say({ partition: m.partition, offset: Number(next[m.partition]++) })
  }
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const r = JSON.parse(line)
    const headers = {}
    for (const h of r.headers || []) {
      const value = bytes(h.value)
      headers[h.key] = h.key in headers ? [].concat(headers[h.key], [value]) : value
    }
    waiting.push({
      partition: r.partition,
      key: bytes(r.key),
      value: bytes(r.value),
      timestamp: String(r.timestamp),
      headers,
    })
    sending = sending.then(flush)
  }
  await sending
  await producer.disconnect()
}

async function consume() {
  const consumer = kafka.consumer({
    groupId: last,
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
    rebalanceTimeout: 10000,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 60 },
  })
  const consumed = {}
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    say({ event: 'assigned', partitions: payload.memberAssignment[topic] || [] }))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message: m }) => {
      const headers = []
      for (const [key, value] of Object.entries(m.headers || {})) {
        for (const one of Array.isArray(value) ? value : [value]) headers.push({ key, value: text(one) })
      }
      consumed[partition] = BigInt(m.offset) + 1n
      say({
        event: 'record', partition, offset: Number(m.offset), timestamp: Number(m.timestamp),
        key: text(m.key), value: text(m.value), headers,
      })
    },
  })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'stop') break
    try {
      await consumer.commitOffsets(Object.entries(consumed).map(([partition, offset]) =>
        ({ topic, partition: Number(partition), offset: String(offset) })))
      say({ event: 'committed' })
    } catch (error) {
      say({ event: 'error', error: `commit: ${error}` })
    }
  }
  await consumer.disconnect()
}

;(mode === 'produce' ? produce() : consume()).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`kafkajs: ${error && error.stack}\n`)
    process.exit(1)
  })
