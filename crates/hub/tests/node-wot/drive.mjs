// Does with a hub what a consumer of the Web of Things does, step by step: `drive.mjs [STEPS]`.
//
// STEPS is a JSON array; without it, each line of standard input is a step. Each step leads to one
// line of JSON, the step with its `value`, or with its `error`; errors do not end it, the end of the
// steps does. It does only what Thing Descriptions say: no address but the hub's is given to it.
//
//   {"do": "explore"}                                 ids and titles in the hub's directory
//   {"do": "consume", "thing": ID}                    a thing of the directory; where its forms lead
//   {"do": "consume", "url": …}                       the thing that is described there
//   {"do": "read", "name": …, "over": …}              over "http" (default) or "mqtt"
//   {"do": "read all", "over": …}                     all properties
//   {"do": "write", "name": …, "value": …, "over": …}
//   {"do": "invoke", "name": …, "input": …, "over": …}
//   {"do": "observe", "name": …, "over": …}           a property; {"do": "subscribe", …} an event
//   {"do": "await", "name": …, "over": …}             the next of what was observed or subscribed to;
//                                                     with `value`: that one, others go by
//   {"do": "stop", "name": …, "over": …}              no longer
//
// Environment: HUB, the URL of the hub over HTTP; TOKEN, or USER_NAME and PASSWORD, if it asks.

import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(import.meta.url) // finds what NODE_PATH has
const { Servient } = require('@node-wot/core')
const { HttpClientFactory } = require('@node-wot/binding-http')
const { MqttClientFactory } = require('@node-wot/binding-mqtt')

const { HUB, TOKEN, USER_NAME, PASSWORD } = process.env
const PATIENCE_MS = 20_000
const isKnown = Boolean(TOKEN || USER_NAME)
// A token is the password where a protocol knows only names and passwords.
const credentials = { token: TOKEN, username: USER_NAME ?? 'token', password: PASSWORD ?? TOKEN }

// Two consumers: each speaks one protocol only, so a step cannot take another way unseen.
const factories = {
  http: new HttpClientFactory(),
  mqtt: new MqttClientFactory(isKnown ? credentials : {}),
}
const consumers = {}
for (const [name, factory] of Object.entries(factories)) {
  const servient = new Servient()
  servient.addClientFactory(factory)
  consumers[name] = { servient, wot: await servient.start(), heard: new Map() }
}

let directory // the things of the hub, by id
let description // of the thing that is consumed

function addCredentials(id) {
  if (isKnown) for (const { servient } of Object.values(consumers)) servient.addCredentials({ [id]: credentials })
}

// This library asks for descriptions without a name. From a hub that wants to know who asks, they
// are fetched here.
async function describe(url) {
  if (!isKnown) return await consumers.http.wot.requestThingDescription(url)
  const authorization = TOKEN
    ? `Bearer ${TOKEN}`
    : `Basic ${Buffer.from(`${USER_NAME}:${PASSWORD}`).toString('base64')}`
  const response = await fetch(url, { headers: { accept: 'application/td+json', authorization } })
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return await response.json()
}

async function things() {
  const { wot } = consumers.http
  const url = new URL('/.well-known/wot', HUB).href
  if (!isKnown) {
    const found = []
    const process = await wot.exploreDirectory(url)
    for await (const thing of process) found.push(thing)
    if (process.error) throw process.error
    return found
  }
  const own = await describe(url)
  addCredentials(own.id)
  const consumed = await wot.consume(own)
  return await (await consumed.readProperty('things')).value()
}

async function explore() {
  directory = new Map((await things()).map((thing) => [thing.id, thing]))
  return [...directory.values()].map(({ id, title }) => ({ id, title }))
}

async function consume({ thing, url }) {
  if (url !== undefined) {
    description = await describe(url)
  } else {
    if (directory === undefined) await explore()
    description = directory.get(thing)
    if (description === undefined) throw new Error(`the directory has no ${thing}`)
  }
  addCredentials(description.id)
  for (const consumer of Object.values(consumers)) {
    consumer.thing = await consumer.wot.consume(description)
  }
  const kinds = [description.properties, description.actions, description.events]
  const forms = kinds.flatMap((kind) => Object.values(kind ?? {})).flatMap(({ forms }) => forms)
  const places = forms.map(({ href }) => new URL(href, description.base ?? HUB))
  return {
    title: description.title,
    places: [...new Set(places.map(({ protocol, host }) => `${protocol}//${host}`))],
  }
}

// What is heard waits in a line until it is awaited.
function listen(consumer, name) {
  const line = []
  const waiting = new EventTarget()
  const hear = async (output) => {
    line.push(await output.value())
    waiting.dispatchEvent(new Event('heard'))
  }
  const fail = (error) => {
    line.push(error)
    waiting.dispatchEvent(new Event('heard'))
  }
  consumer.heard.set(name, { line, waiting })
  return [hear, fail]
}

async function awaitOne(consumer, step) {
  const { line, waiting } = consumer.heard.get(step.name)
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const isIt = (value) => step.value === undefined || JSON.stringify(value) === JSON.stringify(step.value)
  for (;;) {
    while (line.length > 0) {
      const value = line.shift()
      if (value instanceof Error) throw value
      if (isIt(value)) return value
    }
    await once(waiting, 'heard', { signal })
  }
}

const valueOf = async (output) => {
  const value = await output?.value()
  return value === null ? undefined : value
}

async function carryOut(step) {
  const consumer = consumers[step.over ?? 'http']
  const { thing } = consumer
  switch (step.do) {
    case 'explore':
      return await explore()
    case 'consume':
      return await consume(step)
    case 'read':
      return await (await thing.readProperty(step.name)).value()
    case 'read all': {
      const outputs = await thing.readAllProperties()
      const entries = [...outputs].map(async ([name, output]) => [name, await output.value()])
      return Object.fromEntries(await Promise.all(entries))
    }
    case 'write':
      return await thing.writeProperty(step.name, step.value)
    case 'invoke':
      return await valueOf(await thing.invokeAction(step.name, step.input))
    case 'observe':
      consumer[step.name] = await thing.observeProperty(step.name, ...listen(consumer, step.name))
      return undefined
    case 'subscribe':
      consumer[step.name] = await thing.subscribeEvent(step.name, ...listen(consumer, step.name))
      return undefined
    case 'await':
      return await awaitOne(consumer, step)
    case 'stop':
      return await consumer[step.name].stop()
    default:
      throw new Error(`there is no step "${step.do}"`)
  }
}

// A peer that never answers ends its step, not the test.
async function withPatience(promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('waited in vain')), PATIENCE_MS)
  })
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function* steps() {
  if (process.argv[2] !== undefined) yield* JSON.parse(process.argv[2])
  else for await (const line of createInterface(process.stdin)) if (line.trim()) yield JSON.parse(line)
}

for await (const step of steps()) {
  let result
  try {
    const value = await withPatience(carryOut(step))
    result = value === undefined ? {} : { value }
  } catch (error) {
    result = { error: error?.message ?? String(error) }
  }
  console.log(JSON.stringify({ ...step, ...result }))
}
process.exit() // open subscriptions would keep it alive
