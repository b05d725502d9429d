// What is now: one WebSocket (the Web Thing Protocol) for all that is on the screen, however many look at it.
//
// A twin is watched while somebody looks at it, and a little longer. Values that come fast are shown as fast as
// somebody reads them. When the connection is gone, what was last said stays, and the state says so.

import { api, type Twin } from './api'
import { person } from './me.svelte'
import type { Key } from './td'

export interface Reading {
  value: unknown
  /** When it was reported, in milliseconds. */
  at: number
}
export interface Happened {
  id: string
  name: string
  data: unknown
  at: number
}

const EVENTS_MAX = 50
/** What is new is shown in the next frame, but no sooner than the third after what was shown before: frames are for what a finger does, too. */
const CALM_MS = 45
/** Numbers of one property; the hub has those before. */
export const POINTS_MAX = 900
/** A connection has at most 256 subscriptions at the hub; a twin takes two. */
const WATCHED_MAX = 110
const LINGER_MS = 15_000
const RETRY_MS = { first: 500, most: 30_000 }

/** What is known of an element right now. */
export class Live {
  readings = $state.raw<Record<string, Reading>>({})
  events = $state.raw<Happened[]>([])
  /** Why nothing comes, if the hub said so. */
  refused = $state<string | undefined>()
  /** Numbers since this page is open, for charts: times in seconds, and values. */
  readonly points = new Map<string, { at: number[]; value: number[] }>()
  /** What is wanted of it and not so yet, or was refused. */
  desired = $state.raw<Record<string, NonNullable<Twin['desired']>>>({})
  watchers = 0
  asked = false
  #looks = 0

  constructor(readonly key: Key) {}

  /** Asks what is wanted; again and again while something is on its way, ever less often. */
  async lookAtWishes(wait_ms = 0): Promise<void> {
    const look = ++this.#looks
    if (wait_ms) await new Promise((resolve) => setTimeout(resolve, wait_ms))
    if (look !== this.#looks) return
    const twin = await api.twin(this.key).catch(() => undefined)
    if (!twin || look !== this.#looks) return
    const wishes = Object.entries(twin).flatMap(([name, { desired }]) => (desired ? [[name, desired] as const] : []))
    // What is wanted and what is so are told together, also while the connection is away for a moment.
    const isNews = ([name, { reported }]: [string, Twin]) => reported && (this.readings[name]?.at ?? 0) < Date.parse(reported.at)
    const news = Object.entries(twin).filter(isNews).map(([name, { reported }]) => [name, { value: reported!.value, at: Date.parse(reported!.at) }])
    this.readings = { ...this.readings, ...Object.fromEntries(news) }
    this.desired = Object.fromEntries(wishes)
    const isUnderWay = wishes.some(([, { status }]) => status === 'pending')
    const next_ms = Math.min(Math.max(wait_ms * 2, 400), 30_000)
    if (isUnderWay && (this.watchers > 0 || next_ms < 10_000)) void this.lookAtWishes(next_ms)
  }

  /** The hub has a wish: it is on its way until the element says so, or the hub tells what became of it. */
  expect(name: string, value: unknown): void {
    this.desired = { ...this.desired, [name]: { value, status: 'pending', since: new Date().toISOString() } }
    void this.lookAtWishes(400)
  }

  /** Notes numbers, and yes as 1, also those in objects: `memory.used_bytes`. */
  take(name: string, reading: Reading): void {
    const { value, at } = reading
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [member, one] of Object.entries(value)) this.#note(`${name}.${member}`, one, at)
    } else this.#note(name, value, at)
  }

  #note(name: string, value: unknown, at: number): void {
    if (typeof value !== 'number' && typeof value !== 'boolean') return
    let points = this.points.get(name)
    if (!points) this.points.set(name, (points = { at: [], value: [] }))
    const last = points.at.at(-1)
    if (last !== undefined && at / 1000 <= last) return
    points.at.push(at / 1000)
    points.value.push(Number(value))
    if (points.at.length > POINTS_MAX) {
      points.at.shift()
      points.value.shift()
    }
  }
}

interface Message {
  thingID: string
  messageType: string
  operation: string
  name?: string
  value?: unknown
  data?: unknown
  timestamp?: string
  messageID?: string
  error?: { detail?: string }
}

class Connection {
  /** `open`, on the way to it, or `lost`: what is shown may be old. */
  state = $state<'connecting' | 'open' | 'lost'>('connecting')
  since = $state(Date.now())
  /** How often it was opened: what may have been missed meanwhile is asked again. */
  times = $state(0)
  #socket: WebSocket | undefined
  #all = new Map<Key, Live>()
  #fresh = new Map<Live, { readings: Record<string, Reading>; events: Happened[] }>()
  #frame = 0
  #shown = 0
  #retry_ms = RETRY_MS.first
  #timer: ReturnType<typeof setTimeout> | undefined
  #listeners = new Set<(key: Key, name: string) => void>()

  start(): void {
    this.#connect()
    addEventListener('online', () => this.hurry())
    addEventListener('offline', () => this.#socket?.close())
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.hurry())
  }

  /** What is known of an element; it stays current only while it is watched. */
  of(key: Key): Live {
    let live = this.#all.get(key)
    if (!live) this.#all.set(key, (live = new Live(key)))
    return live
  }

  /** Keeps an element current until what comes back is called. */
  watch(key: Key): () => void {
    const live = this.of(key)
    live.watchers++
    this.#ask(live)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      live.watchers--
      setTimeout(() => this.#leave(live), LINGER_MS)
    }
  }

  /** Calls for each event and each report until what comes back is called. */
  hear(listener: (key: Key, name: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #connect(): void {
    clearTimeout(this.#timer)
    // Whoever signs in again comes back with a new page.
    if (this.#socket || person.isSignedOut) return
    const url = new URL('/api/ws', location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url, 'webthingprotocol')
    this.#socket = socket
    socket.onopen = () => {
      this.#retry_ms = RETRY_MS.first
      this.#become('open')
      this.times++
      for (const live of this.#all.values()) {
        live.asked = false
        if (live.watchers > 0) this.#ask(live)
      }
    }
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as Message)
    socket.onclose = () => {
      this.#socket = undefined
      this.#become('lost')
      for (const live of this.#all.values()) live.asked = false
      // All at once would be a flood: a part of the wait is chance.
      this.#timer = setTimeout(() => this.#connect(), this.#retry_ms * (0.5 + Math.random() / 2))
      this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS.most)
      // A browser does not say why a socket was refused; a request does, and finds out whether the sign-in is over.
      if (navigator.onLine) void api.probe().catch(() => undefined)
    }
  }

  hurry(): void {
    this.#retry_ms = RETRY_MS.first
    if (!this.#socket) this.#connect()
  }

  #become(state: 'open' | 'lost'): void {
    if (this.state === state) return
    this.state = state
    this.since = Date.now()
  }

  #say(key: Key, operation: string): void {
    this.#socket?.send(JSON.stringify({ thingID: key, messageType: 'request', operation }))
  }

  #ask(live: Live): void {
    if (live.asked || this.#socket?.readyState !== WebSocket.OPEN) return
    const asked = [...this.#all.values()].filter((one) => one.asked)
    if (asked.length >= WATCHED_MAX) {
      const idle = asked.find((one) => one.watchers === 0)
      if (!idle) {
        live.refused = 'too much is on the screen at once to be live'
        return
      }
      this.#unask(idle)
    }
    live.asked = true
    live.refused = undefined
    this.#say(live.key, 'observeallproperties')
    this.#say(live.key, 'subscribeallevents')
  }

  #unask(live: Live): void {
    live.asked = false
    this.#say(live.key, 'unobserveallproperties')
    this.#say(live.key, 'unsubscribeallevents')
  }

  #leave(live: Live): void {
    if (live.watchers > 0 || !live.asked || this.#socket?.readyState !== WebSocket.OPEN) return
    this.#unask(live)
    for (const next of this.#all.values()) {
      if (next.watchers === 0 || next.asked) continue
      this.#ask(next)
      return
    }
  }

  #take(message: Message): void {
    const live = this.#all.get(message.thingID as Key)
    if (!live) return
    if (message.error) {
      if (message.operation === 'observeallproperties') live.refused = message.error.detail
      return
    }
    if (message.messageType !== 'notification' || message.name === undefined) return
    const at = message.timestamp ? Date.parse(message.timestamp) : Date.now()
    let fresh = this.#fresh.get(live)
    if (!fresh) this.#fresh.set(live, (fresh = { readings: {}, events: [] }))
    if (message.operation.startsWith('observe')) {
      const reading = { value: message.value, at }
      live.take(message.name, reading)
      fresh.readings[message.name] = reading
    } else {
      fresh.events.push({ id: message.messageID ?? `${message.name} ${at}`, name: message.name, data: message.data, at })
    }
    for (const listener of this.#listeners) listener(live.key, message.name)
    if (!this.#frame) this.#frame = requestAnimationFrame(this.#show)
    // A page in the background draws no frames; what comes meanwhile must not pile up.
    if (document.visibilityState === 'hidden' && fresh.events.length > EVENTS_MAX) fresh.events.shift()
  }

  #show = (now: number): void => {
    if (now < this.#shown + CALM_MS) {
      this.#frame = requestAnimationFrame(this.#show)
      return
    }
    this.#shown = now
    this.#frame = 0
    for (const [live, { readings, events }] of this.#fresh) {
      if (Object.keys(readings).length > 0) live.readings = { ...live.readings, ...readings }
      if (events.length > 0) live.events = [...events.reverse(), ...live.events].slice(0, EVENTS_MAX)
    }
    this.#fresh.clear()
  }
}

/** Since when there is something to be drawn, in seconds. */
export const opened_s = Date.now() / 1000

export const live = new Connection()
