// This device as a thing: what its sensors say, as far as whoever holds it consents, goes over a socket of its own that
// serves the thing. It stops when it is told to, and when the page is closed; nothing is sent before it was asked for.

import { sending } from './sending.svelte'
import type { Key, Property } from './td'

export type SenseId = 'motion' | 'position' | 'battery' | 'light'
/** What a sensor gives, by property. */
type Say = (name: string, value: unknown) => void
export interface Sense {
  id: SenseId
  title: string
  /** What leaves the device. */
  what: string
  properties: Record<string, Property>
  /** Why it cannot be used here. */
  lacks: () => string | undefined
  /** Begins, and gives what ends it. What goes wrong is told. */
  begin: (say: Say, fails: (why: string) => void) => Promise<() => void>
}

interface GenericSensor extends EventTarget {
  x?: number
  y?: number
  z?: number
  illuminance?: number
  start: () => void
  stop: () => void
}
type SensorClass = new (options: { frequency: number }) => GenericSensor
interface Battery extends EventTarget {
  level: number
  charging: boolean
}
const sensorOf = (name: string) => (globalThis as unknown as Record<string, SensorClass | undefined>)[name]
const battery = () => (navigator as unknown as { getBattery?: () => Promise<Battery> }).getBattery
/** On some phones motion has to be asked for. */
const askMotion = () => (globalThis.DeviceMotionEvent as unknown as { requestPermission?: () => Promise<string> } | undefined)?.requestPermission

/** Moves faster than this, in m/s², without gravity. */
const MOVING = 0.6
const HERTZ = 10
const NO_API = 'this browser has no way to ask for it'

/** A sensor of the Generic Sensor API, listened to until what comes back is called. */
function listen(name: string, read: (sensor: GenericSensor) => void, fails: (why: string) => void): () => void {
  const Sensor = sensorOf(name)
  if (!Sensor) throw new Error(NO_API)
  const sensor = new Sensor({ frequency: HERTZ })
  sensor.addEventListener('reading', () => read(sensor))
  sensor.addEventListener('error', (event) => fails((event as unknown as { error?: Error }).error?.message ?? 'the sensor gives nothing'))
  sensor.start()
  return () => sensor.stop()
}

const round = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits

export const SENSES: Sense[] = [
  {
    id: 'motion',
    title: 'Motion',
    what: 'How hard it is moved, twice a second',
    properties: {
      acceleration: { title: 'Acceleration', type: 'number', unit: 'm/s2', readOnly: true },
      moving: { title: 'Moving', type: 'boolean', readOnly: true },
    },
    lacks: () => (sensorOf('LinearAccelerationSensor') || 'DeviceMotionEvent' in globalThis ? undefined : NO_API),
    async begin(say, fails) {
      const tell = (x: number, y: number, z: number) => {
        const strength = Math.hypot(x, y, z)
        say('acceleration', round(strength, 2))
        say('moving', strength > MOVING)
      }
      if (sensorOf('LinearAccelerationSensor')) return listen('LinearAccelerationSensor', ({ x = 0, y = 0, z = 0 }) => tell(x, y, z), fails)
      const answer = await askMotion()?.call(globalThis.DeviceMotionEvent)
      if (answer && answer !== 'granted') throw new Error('the phone was told not to say it')
      const hear = ({ acceleration }: DeviceMotionEvent) => acceleration && tell(acceleration.x ?? 0, acceleration.y ?? 0, acceleration.z ?? 0)
      addEventListener('devicemotion', hear)
      return () => removeEventListener('devicemotion', hear)
    },
  },
  {
    id: 'position',
    title: 'Position',
    what: 'Where it is, as exactly as it knows, whenever that changes',
    properties: { position: { title: 'Position', type: 'object', readOnly: true, '@type': 'Position', properties: { latitude: { type: 'number', unit: 'deg' }, longitude: { type: 'number', unit: 'deg' }, accuracy: { type: 'number', unit: 'm' } } } },
    lacks: () => ('geolocation' in navigator ? undefined : NO_API),
    begin: async (say, fails) => {
      const id = navigator.geolocation.watchPosition(
        ({ coords: { latitude, longitude, accuracy } }) => say('position', { latitude, longitude, accuracy: round(accuracy, 1) }),
        ({ message, code }) => fails(code === 1 ? 'you did not allow it in this browser' : message || 'the device does not know where it is'),
        { enableHighAccuracy: true },
      )
      return () => navigator.geolocation.clearWatch(id)
    },
  },
  {
    id: 'battery',
    title: 'Battery',
    what: 'How full it is, and whether it is charged',
    properties: { battery: { title: 'Battery', type: 'number', unit: '%', minimum: 0, maximum: 100, readOnly: true }, charging: { title: 'Charging', type: 'boolean', readOnly: true } },
    lacks: () => (battery() ? undefined : NO_API),
    async begin(say) {
      const one = await battery()?.call(navigator)
      if (!one) throw new Error(NO_API)
      const tell = () => {
        say('battery', Math.round(one.level * 100))
        say('charging', one.charging)
      }
      tell()
      one.addEventListener('levelchange', tell)
      one.addEventListener('chargingchange', tell)
      return () => {
        one.removeEventListener('levelchange', tell)
        one.removeEventListener('chargingchange', tell)
      }
    },
  },
  {
    id: 'light',
    title: 'Light',
    what: 'How bright it is around it',
    properties: { illuminance: { title: 'Light', type: 'number', unit: 'lx', readOnly: true } },
    lacks: () => (sensorOf('AmbientLightSensor') ? undefined : NO_API),
    begin: async (say, fails) => listen('AmbientLightSensor', ({ illuminance = 0 }) => say('illuminance', Math.round(illuminance)), fails),
  },
]

/** The least time between two reports of one value. */
const PACE_MS = 500
/** What stays as it is is said again after this time, so that it is known to be so still. */
const AGAIN_MS = 10_000
const RETRY_MS = { first: 1000, most: 20_000 }

class Phone {
  key = $state<Key | undefined>()
  /** How it goes with each sensor that is used. */
  senses = $state<Partial<Record<SenseId, { problem?: string }>>>({})
  state = $state<'off' | 'connecting' | 'open' | 'lost'>('off')
  refused = $state<string | undefined>()
  sent = $state(0)
  /** What was sent last. */
  values = $state.raw<Record<string, { value: unknown; at: number }>>({})
  #socket: WebSocket | undefined
  #ends: (() => void)[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #retry_ms = RETRY_MS.first
  /** What waits for its turn. */
  #waiting = new Map<string, unknown>()
  #pacer: ReturnType<typeof setInterval> | undefined

  /** Sends what these sensors say, as this thing, until it is stopped. Each one asks the person for itself. */
  async start(key: Key, ids: SenseId[]): Promise<void> {
    this.stop()
    this.key = key
    this.sent = 0
    this.values = {}
    this.refused = undefined
    this.#connect()
    this.#pacer = setInterval(() => this.#flush(), PACE_MS)
    sending.stop = () => this.stop()
    for (const sense of SENSES.filter(({ id }) => ids.includes(id))) {
      const { id, begin } = sense
      this.senses[id] = {}
      const fails = (why: string) => (this.senses[id] = { problem: why })
      try {
        const end = await begin((name, value) => this.#waiting.set(name, value), fails)
        if (this.state === 'off') end()
        else this.#ends.push(end)
      } catch (error) {
        fails(error instanceof Error ? error.message : String(error))
      }
    }
    this.#tell()
  }

  stop(): void {
    this.#ends.forEach((end) => end())
    this.#ends = []
    clearInterval(this.#pacer)
    clearTimeout(this.#timer)
    this.#waiting.clear()
    this.state = 'off'
    this.senses = {}
    this.#socket?.close(1000)
    this.#socket = undefined
    sending.what = []
  }

  #tell(): void {
    if (this.state !== 'off') sending.what = SENSES.filter(({ id }) => this.senses[id] && !this.senses[id]?.problem).map(({ title }) => title.toLowerCase())
  }

  #connect(): void {
    if (!this.key) return
    const url = new URL(`/api/ws?serve=${encodeURIComponent(this.key)}`, location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url, 'webthingprotocol')
    this.#socket = socket
    this.state = 'connecting'
    socket.onopen = () => {
      this.#retry_ms = RETRY_MS.first
      this.state = 'open'
      // What was said last is said again: the hub may not have it.
      for (const [name, { value }] of Object.entries(this.values)) if (!this.#waiting.has(name)) this.#waiting.set(name, value)
      this.values = {}
    }
    socket.onmessage = ({ data }) => {
      const { error } = JSON.parse(String(data)) as { error?: { detail?: string } }
      if (error) this.refused = error.detail ?? 'the hub refused what was sent'
    }
    socket.onclose = () => {
      if (this.#socket !== socket) return
      this.state = 'lost'
      this.#timer = setTimeout(() => this.#connect(), this.#retry_ms)
      this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS.most)
    }
  }

  /** Sends what is new, each value once. */
  #flush(): void {
    this.#tell()
    if (this.#socket?.readyState !== WebSocket.OPEN || this.#waiting.size === 0) return
    const values = { ...this.values }
    for (const [name, value] of this.#waiting) {
      const last = values[name]
      if (last && Date.now() - last.at < AGAIN_MS && JSON.stringify(last.value) === JSON.stringify(value)) continue
      this.#socket.send(JSON.stringify({ thingID: this.key, messageType: 'notification', operation: 'observeproperty', name, value }))
      values[name] = { value, at: Date.now() }
      this.sent++
    }
    this.#waiting.clear()
    this.values = values
  }
}

export const phone = new Phone()
