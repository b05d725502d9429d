// What mqtt.js does with a hub: with_mqtt_js.cjs PORT VERSION SCHEME AUTHORITY.
//
// Says "done" at the end; anything that is not as it must be ends it with an error.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { readFileSync } = require('node:fs')
const mqtt = require('mqtt')

const [port, version, scheme, authority] = process.argv.slice(2)
const isV5 = version === '5'

// A client that has come in, with the messages that it got.
async function client(name, { kept = false, will } = {}) {
  const client = mqtt.connect(`${scheme}://127.0.0.1:${port}`, {
    clientId: `js-${name}-${version}-${scheme}`,
    protocolVersion: Number(version),
    clean: !kept,
    reconnectPeriod: 0,
    properties: isV5 && kept ? { sessionExpiryInterval: 300 } : undefined,
    will: will && { topic: will, payload: 'gone', qos: 1 },
    ca: readFileSync(authority),
  })
  client.messages = []
  client.on('message', (topic, payload, { qos, retain, properties }) => {
    client.messages.push({ topic, qos, retain, payload: payload.toString('hex'), properties })
    client.emit('got')
  })
  const [connack] = await once(client, 'connect')
  client.sessionPresent = connack.sessionPresent
  return client
}

async function get(client, count) {
  while (client.messages.length < count) await once(client, 'got')
  return client.messages.map(({ topic, qos, retain, payload }) => ({ topic, qos, retain, payload }))
}

const hex = (payload) => Buffer.from(payload).toString('hex')
const topic = (name) => `js/${name}/${version}/${scheme}`

async function messagesArriveExactlyAsSentAtEachQos() {
  const c = await client('exact')
  const t = topic('exact')
  await c.subscribeAsync(t, { qos: 2 })
  const payload = Buffer.alloc(25_600, Buffer.from([...Array(256).keys()]))
  for (const qos of [0, 1, 2]) await c.publishAsync(t, payload, { qos })
  const sent = [0, 1, 2].map((qos) => ({ topic: t, qos, retain: false, payload: hex(payload) }))
  assert.deepEqual(await get(c, 3), sent)
  await c.endAsync()
}

async function aRetainedMessageStandsUntilItIsCleared() {
  const c = await client('retained')
  const t = topic('retained')
  await c.publishAsync(t, 'stands', { qos: 1, retain: true })
  await c.subscribeAsync(t, { qos: 1 })
  assert.deepEqual(await get(c, 1), [{ topic: t, qos: 1, retain: true, payload: hex('stands') }])
  await c.publishAsync(t, '', { qos: 1, retain: true })
  const later = await client('later')
  await later.subscribeAsync(t, { qos: 1 })
  await later.publishAsync(t, 'live', { qos: 1 })
  assert.deepEqual(await get(later, 1), [{ topic: t, qos: 1, retain: false, payload: hex('live') }])
  await c.endAsync()
  await later.endAsync()
}

async function aWillIsPublishedWhenItsClientIsGoneAndNotWhenItLeaves() {
  const watcher = await client('watcher')
  const t = topic('will')
  await watcher.subscribeAsync(t, { qos: 1 })
  const leaving = await client('dying', { will: t })
  await leaving.endAsync()
  const dying = await client('dying', { will: t })
  dying.on('error', () => {})
  dying.stream.destroy()
  await get(watcher, 1)
  await watcher.publishAsync(t, 'end', { qos: 1 })
  const got = await get(watcher, 2)
  assert.deepEqual(got.map(({ payload }) => payload), [hex('gone'), hex('end')])
  await watcher.endAsync()
}

async function whatWasMissedWaitsInTheSession() {
  let c = await client('kept', { kept: true })
  const t = topic('missed')
  assert.equal(c.sessionPresent, false)
  await c.subscribeAsync(t, { qos: 2 })
  await c.endAsync()
  const publisher = await client('publisher')
  const missed = [1, 1, 2, 2].map((qos, n) => ({ topic: t, qos, retain: false, payload: hex(`${n}`) }))
  for (const n of [0, 2, 1, 3]) await publisher.publishAsync(t, `${n}`, { qos: missed[n].qos })
  await publisher.endAsync()
  c = await client('kept', { kept: true })
  assert.equal(c.sessionPresent, true)
  // At QoS 2 a client has a message only when it is released, after others perhaps.
  const got = await get(c, 4)
  assert.deepEqual(got.sort((a, b) => a.qos - b.qos), missed)
  await c.endAsync()
}

async function propertiesArriveAsSent() {
  const c = await client('properties')
  const t = topic('properties')
  await c.subscribeAsync(t, { qos: 1 })
  const properties = {
    payloadFormatIndicator: true,
    contentType: 'text/plain',
    responseTopic: 'js/answer',
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: { a: ['1', '2'], ä: 'ö' },
  }
  await c.publishAsync(t, 'text', { qos: 1, properties })
  await get(c, 1)
  const got = c.messages[0].properties
  for (const [name, value] of Object.entries(properties)) {
    assert.deepEqual(JSON.stringify(got[name]), JSON.stringify(value), name)
  }
  await c.endAsync()
}

async function all() {
  await messagesArriveExactlyAsSentAtEachQos()
  await aRetainedMessageStandsUntilItIsCleared()
  await aWillIsPublishedWhenItsClientIsGoneAndNotWhenItLeaves()
  await whatWasMissedWaitsInTheSession()
  if (isV5) await propertiesArriveAsSent()
}

// Whatever does not come, ends it: nothing waits for ever.
const deadline = setTimeout(() => {
  console.error('waited in vain')
  process.exit(1)
}, 30_000)

all().then(
  () => {
    clearTimeout(deadline)
    console.log('done')
    process.exit(0) // wills and the like may have left sockets half open
  },
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
