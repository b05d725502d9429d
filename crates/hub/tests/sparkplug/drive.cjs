// An edge node that speaks Sparkplug B, steered step by step: drive.cjs PORT [STEPS].
//
// The node `press` of the group `plant` with the device `pump`, at the broker at 127.0.0.1:PORT.
// STEPS is a JSON array; without it, each line of standard input is a step. Each step leads to one
// line of JSON; the first says that node and device are born. What the node is told comes as lines
// with `heard`, whenever it comes; it does what a write to `Setpoint` and a `Rebirth` ask for.
//
//   {"do": "data", "rate": 12.5}            DDATA of the metric `Rate`, by its alias
//   {"do": "node data", "temperature": 21}  NDATA, by name
//   {"do": "burst", "count": 300}           that many DDATA, so that the sequence numbers wrap
//   {"do": "history"}                       a DDATA with an old value, flagged historical
//   {"do": "null"}                          a DDATA whose value is null
//   {"do": "skip"}                          loses a sequence number: the next data shows a gap
//   {"do": "compressed"}                    a DDATA with a compressed body
//   {"do": "device dies"}                   DDEATH; {"do": "device is born"} DBIRTH
//   {"do": "await", "heard": "dcmd"}        waits until the node was told something
//   {"do": "lose"}                          the connection breaks: NDEATH, the will; it comes back
//   {"do": "stop"}                          leaves; no NDEATH is owed then, but it is said

const { once } = require('node:events')
const { createInterface } = require('node:readline')
const sparkplug = require('sparkplug-client')

const [port, list] = process.argv.slice(2)
const PATIENCE_MS = 20_000
// Fixed, so that what is recorded does not change; the library itself says the time in NDEATH.
const at = { ms: Date.UTC(2026, 0, 1) }
const now = () => (at.ms += 1000)

const node = sparkplug.newClient({
  serverUrl: `mqtt://127.0.0.1:${port}`,
  username: process.env.USER_NAME ?? '',
  password: process.env.PASSWORD ?? '',
  groupId: 'plant',
  edgeNode: 'press',
  clientId: 'press',
  publishDeath: true,
  mqttOptions: { reconnectPeriod: 200 },
})

const say = (line) => console.log(JSON.stringify(line, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
let setpoint = 40

function nodeBirth() {
  return {
    timestamp: now(),
    metrics: [
      { name: 'Node Control/Rebirth', type: 'Boolean', value: false },
      { name: 'Properties/Hardware', type: 'String', value: 'Press 9' },
      {
        name: 'Temperature',
        type: 'Float',
        value: 20.5,
        properties: { engUnit: { type: 'String', value: '°C' } },
      },
    ],
  }
}

function deviceBirth() {
  return {
    timestamp: now(),
    metrics: [
      {
        name: 'Rate',
        alias: 1,
        type: 'Double',
        value: 10,
        properties: {
          engUnit: { type: 'String', value: 'l/min' },
          engLow: { type: 'Double', value: 0 },
          engHigh: { type: 'Double', value: 100 },
        },
      },
      { name: 'Setpoint', alias: 2, type: 'Int32', value: setpoint },
      { name: 'Running', alias: 3, type: 'Boolean', value: true },
      { name: 'Mode', alias: 4, type: 'String', value: 'auto' },
      { name: 'Since', alias: 5, type: 'DateTime', value: Date.UTC(2026, 0, 1) },
      { name: 'Offset', alias: 6, type: 'Int8', value: -5 },
      { name: 'Total', alias: 7, type: 'UInt64', value: 4294967297 },
      {
        name: 'Samples',
        alias: 8,
        type: 'DataSet',
        value: { numOfColumns: 2, columns: ['t', 'v'], types: ['Int32', 'Double'], rows: [[0, 1.5], [1, 2.5]] },
      },
    ],
  }
}

// A metric without a name: its alias says which it is.
const byAlias = (alias, type, value, more) => ({ alias, type, value, timestamp: now(), ...more })
const data = (...metrics) => node.publishDeviceData('pump', { timestamp: now(), metrics })

function carryOut(step) {
  switch (step.do) {
    case 'data':
      return data(byAlias(1, 'Double', step.rate))
    case 'node data': {
      const metric = { name: 'Temperature', type: 'Float', value: step.temperature }
      return node.publishNodeData({ timestamp: now(), metrics: [metric] })
    }
    case 'burst':
      for (let n = 0; n < step.count; n++) data(byAlias(1, 'Double', n))
      return undefined
    case 'history':
      return data(byAlias(1, 'Double', 7, { timestamp: Date.UTC(2025, 11, 31), isHistorical: true }))
    case 'null':
      return data(byAlias(4, 'String', null))
    case 'skip':
      return void node.incrementSeqNum()
    case 'compressed':
      return node.publishDeviceData(
        'pump',
        { timestamp: now(), metrics: [byAlias(1, 'Double', 3)] },
        { compress: true, algorithm: 'GZIP' },
      )
    case 'device dies':
      return node.publishDeviceDeath('pump', { timestamp: now() })
    case 'device is born':
      return node.publishDeviceBirth('pump', deviceBirth())
    case 'lose':
      node.client.stream.destroy()
      return once(node, 'birth').then(() => undefined)
    case 'await':
      return heard(step.heard)
    case 'stop':
      node.stop()
      return once(node.client, 'end').then(() => undefined)
    default:
      throw new Error(`there is no step "${step.do}"`)
  }
}

const waiting = []
const unawaited = []

function hear(what, metrics) {
  const line = { heard: what, metrics: metrics.map(({ name, alias, value }) => ({ name, alias: alias && Number(alias), value })) }
  say(line)
  const found = waiting.findIndex((wait) => wait.what === what)
  if (found < 0) unawaited.push(line)
  else waiting.splice(found, 1)[0].resolve(line.metrics)
}

function heard(what) {
  const found = unawaited.findIndex((line) => line.heard === what)
  if (found >= 0) return unawaited.splice(found, 1)[0].metrics
  return new Promise((resolve, reject) => {
    waiting.push({ what, resolve })
    setTimeout(reject, PATIENCE_MS, new Error('waited in vain')).unref()
  })
}

function beBorn() {
  node.publishNodeBirth(nodeBirth())
  node.publishDeviceBirth('pump', deviceBirth())
}

node.on('birth', beBorn)
node.on('error', (error) => {
  console.error(error)
  process.exit(1)
})
node.on('ncmd', (payload) => {
  hear('ncmd', payload.metrics)
  if (payload.metrics.some(({ name, value }) => name === 'Node Control/Rebirth' && value)) beBorn()
})
node.on('dcmd', (_device, payload) => {
  hear('dcmd', payload.metrics)
  for (const { name, alias, value } of payload.metrics) {
    if (name !== 'Setpoint' && Number(alias) !== 2) continue
    setpoint = value
    data(byAlias(2, 'Int32', setpoint))
  }
})

// The library does not say when the broker has a message. An answer to something harmless does:
// it comes after all that was said before.
async function taken() {
  if (node.client.connected) await new Promise((resolve) => node.client.unsubscribe('nothing', resolve))
}

async function* steps() {
  if (list !== undefined) yield* JSON.parse(list)
  else for await (const line of createInterface(process.stdin)) if (line.trim()) yield JSON.parse(line)
}

async function main() {
  await once(node, 'birth')
  say({ do: 'start' })
  for await (const step of steps()) {
    try {
      const value = await carryOut(step)
      await taken()
      say(value === undefined ? step : { ...step, value })
    } catch (error) {
      say({ ...step, error: error.message })
    }
  }
  process.exit() // without a word, if it did not stop
}

main()
