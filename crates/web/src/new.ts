// Descriptions that the app writes: of things that come in by a form, and how they reach the hub.

import { api, Refused } from './api'
import { catalogue } from './catalogue.svelte'
import { kindOf, urnOf, type Description, type Key, type Property, type Schema } from './td'

/** A value that a new thing has. */
export interface Value {
  name: string
  title: string
  type: 'number' | 'boolean' | 'string' | 'event'
  unit?: string
  /** Whether it can be changed from here. */
  isWritable?: boolean
}
/** What a thing may be, with the values that such a thing mostly has. */
export interface Sort {
  title: string
  type?: string
  values: Value[]
}

export const SORTS: Record<string, Sort> = {
  climate: {
    title: 'Temperature sensor',
    type: 'Sensor',
    values: [
      { name: 'temperature', title: 'Temperature', type: 'number', unit: '°C' },
      { name: 'humidity', title: 'Humidity', type: 'number', unit: '%' },
    ],
  },
  light: { title: 'Lamp', type: 'Light', values: [{ name: 'on', title: 'On', type: 'boolean', isWritable: true }] },
  plug: {
    title: 'Plug or meter',
    type: 'Outlet',
    values: [
      { name: 'on', title: 'On', type: 'boolean', isWritable: true },
      { name: 'power', title: 'Power', type: 'number', unit: 'W' },
    ],
  },
  motion: { title: 'Motion sensor', type: 'MotionSensor', values: [{ name: 'occupied', title: 'Occupied', type: 'boolean' }] },
  switch: { title: 'Switch', type: 'Switch', values: [{ name: 'pressed', title: 'Pressed', type: 'event' }] },
  door: { title: 'Door or window', type: 'Door', values: [{ name: 'open', title: 'Open', type: 'boolean' }] },
  other: { title: 'Something else', values: [{ name: 'value', title: 'Value', type: 'number' }] },
}

/** A value's type that is none of an event's. */
const schemaOf = ({ title, type, unit, isWritable }: Value): Property => {
  const schema: Property = { title }
  if (type !== 'event') schema.type = type
  if (unit) schema.unit = unit
  if (!isWritable) schema.readOnly = true
  return schema
}

/** The description of an element as a form tells it. It is reached at the hub, which adds how. */
export function describeNew(key: Key, title: string, more: { type?: string; place?: Key; values?: Value[]; description?: string } = {}): Description {
  const formsAt = (path: string) => [{ href: `/api/${key}/${path}` }]
  const values = more.values ?? []
  const properties = values.filter(({ type }) => type !== 'event').map((one) => [one.name, { ...schemaOf(one), forms: formsAt(`properties/${one.name}`) }] as const)
  const events = values.filter(({ type }) => type === 'event').map((one) => [one.name, { title: one.title, data: {} as Schema, forms: formsAt(`events/${one.name}`) }] as const)
  return {
    '@context': 'https://www.w3.org/2022/wot/td/v1.1',
    id: urnOf(key),
    title,
    ...(more.description ? { description: more.description } : {}),
    ...(more.type ? { '@type': more.type } : {}),
    securityDefinitions: { none: { scheme: 'nosec' } },
    security: 'none',
    ...(more.place ? { links: [{ rel: 'in', href: urnOf(more.place) }] } : {}),
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
    ...(events.length > 0 ? { events: Object.fromEntries(events) } : {}),
  }
}

/** Describes a new element, and says that it is in its place, which decides about rights as well. */
export async function create(td: Description, key: Key, place?: Key): Promise<void> {
  try {
    await api.create(td)
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 412) throw error
    // An answer that was lost on the way is no reason to take another name: then it is there as it was told.
    const there = await api.describe(key)
    const isSame = there.title === td.title && Object.keys(td.properties ?? {}).every((name) => there.properties?.[name] !== undefined)
    if (!isSame) throw new Refused(412, `there is already ${key}; take another id`)
  }
  if (place) await api.relate(key, { relation: 'in', to: place })
  await catalogue.lookFor(key)
}

export interface Door {
  host: string
  port: string
  isSecure: boolean
}
/** Where things reach the hub over MQTT, as the forms in its descriptions say; nothing if it does not listen there. */
export async function mqttDoor(key: Key = 'things/this-computer'): Promise<Door | undefined> {
  const td = await api.describe(key).catch(() => undefined)
  const doors = [...JSON.stringify(td ?? {}).matchAll(/"(mqtts?):\/\/(\[[^\]]+\]|[^:/"]+)(?::(\d+))?\//g)]
  const [, scheme, host, port] = doors.find(([, scheme]) => scheme === 'mqtts') ?? doors[0] ?? []
  if (!scheme || !host) return undefined
  const isSecure = scheme === 'mqtts'
  return { host, port: port ?? (isSecure ? '8883' : '1883'), isSecure }
}
/** The line that publishes once, for the clients of mosquitto. */
export function publishLine({ host, port, isSecure }: Door, as: { user: string; password: string } | undefined, topic: string, payload: string): string {
  const login = as ? ` -u '${as.user}' -P '${as.password}'` : ''
  return `mosquitto_pub -h ${host} -p ${port}${isSecure ? ' --cafile ca.crt' : ''}${login} -q 1 -t '${topic}' -m '${payload}'`
}

/** The address that others use for this hub, or why this page's own is none for them. */
export const isOnlyHere = (): boolean => /^(localhost|127\.|\[::1\])/.test(location.hostname)

/** Why an element cannot be called so. */
export function lacksId(id: string, key: Key): string | undefined {
  if (!/^[\w.:-]+$/.test(id)) return 'An id has letters, digits, and - _ . : between them.'
  return catalogue.byKey.has(key) ? `There is already ${key}, called “${catalogue.titleOf(key)}”.` : undefined
}

/** What a thing may say first, to try it. */
export const sampleOf = (schema: Schema | undefined): string => (schema?.type === 'boolean' ? 'true' : schema?.type === 'string' ? '"hello"' : schema?.unit === '%' ? '44' : schema?.unit === 'W' ? '60' : '21.5')

/** Places, for forms that ask where something is. */
export const isPlace = (key: Key): boolean => kindOf(key) === 'places' && key !== 'places/hub'
