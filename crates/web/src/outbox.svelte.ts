// What a person wanted, and what became of it. Without a connection it waits here, also through a reload, and is
// sent once when the hub answers again.
//
// A value that is wanted may be said twice: the last one counts, and earlier ones for the same property go. An
// action is said again under its own name, so that the hub does it once; when the hub may have forgotten the name,
// nobody knows whether it was done, and the person decides.

import { api, Refused } from './api'
import { keep } from './keep'
import { live } from './live.svelte'
import { person } from './me.svelte'
import type { Key } from './td'

/** So long the hub surely knows the name of a request: it forgets it an hour after it is over. */
const KNOWN_MS = 50 * 60_000

export interface Wanted {
  id: string
  who: Key | undefined
  key: Key
  do: 'write' | 'invoke'
  name: string
  value: unknown
  at: number
  /** When it was first sent. */
  sent?: number
  /** `unknown`: it was sent long ago, and no answer came. */
  state: 'waiting' | 'sending' | 'unknown' | 'refused'
  why?: string
}

class Outbox {
  all = $state.raw<Wanted[]>([])
  #isBusy = false

  async start(): Promise<void> {
    const kept = await keep.all<Wanted>('outbox').catch(() => [])
    // What was being sent when the page went was perhaps heard.
    const after = (one: Wanted): Wanted => (one.state === 'sending' ? { ...one, state: 'waiting' } : one)
    this.all = kept.map(after).sort((a, b) => a.at - b.at)
    void this.send()
  }

  /** What is on its way for a property or an action. */
  of(key: Key, name: string): Wanted | undefined {
    return this.all.findLast((one) => one.key === key && one.name === name && this.#isMine(one))
  }

  get mine(): Wanted[] {
    return this.all.filter((one) => this.#isMine(one))
  }

  /** Wants something. Resolves when the hub has it, or when it waits for the hub; throws what the hub refuses. */
  async want(what: Pick<Wanted, 'key' | 'do' | 'name' | 'value'>): Promise<'sent' | 'waiting'> {
    const one: Wanted = { ...what, id: newId(), who: person.key, at: Date.now(), state: 'waiting' }
    if (one.do === 'write') {
      for (const old of this.all) if (old.do === 'write' && old.key === one.key && old.name === one.name && old.state !== 'sending') await this.forget(old)
    }
    if (this.#isFree()) {
      // Nobody waits for the disk of this device: it is kept while it is sent.
      this.#isBusy = true
      const isHeard = await this.#sendOne(one).finally(() => (this.#isBusy = false))
      if (isHeard) void this.send()
    } else {
      await this.#put(one)
      if (live.state === 'lost') return 'waiting'
      await this.send()
    }
    const now = this.all.find(({ id }) => id === one.id)
    if (!now) return 'sent'
    if (now.state !== 'refused') return 'waiting'
    await this.forget(now)
    throw new Refused(403, now.why ?? 'it was refused')
  }

  /** Sends what waits, in order, in one tab of this browser. */
  async send(): Promise<void> {
    if (this.#isBusy || live.state === 'lost') return
    this.#isBusy = true
    try {
      if (navigator.locks) await navigator.locks.request('quartet-outbox', () => this.#sendAll())
      else await this.#sendAll()
    } finally {
      this.#isBusy = false
    }
  }

  async again(one: Wanted): Promise<void> {
    await this.#put({ ...one, state: 'waiting', why: undefined, sent: undefined })
    await this.send()
  }

  async forget(one: Wanted): Promise<void> {
    this.all = this.all.filter(({ id }) => id !== one.id)
    await keep.remove('outbox', one.id).catch(() => undefined)
  }

  #isMine(one: Wanted): boolean {
    return one.who === person.key
  }

  async #put(one: Wanted): Promise<void> {
    const others = this.all.filter(({ id }) => id !== one.id)
    this.all = [...others, one].sort((a, b) => a.at - b.at)
    await keep.put('outbox', one.id, { ...one }).catch(() => undefined)
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const one = this.all.find((one) => one.state === 'waiting' && this.#isMine(one))
      if (!one) return
      // Another tab may have sent it meanwhile.
      const kept = await keep.get<Wanted>('outbox', one.id).catch(() => one)
      if (!kept) {
        this.all = this.all.filter(({ id }) => id !== one.id)
        continue
      }
      if (one.do === 'invoke' && one.sent && one.sent + KNOWN_MS < Date.now()) {
        await this.#put({ ...one, state: 'unknown' })
        continue
      }
      if (!(await this.#sendOne(one))) return
    }
  }

  /** Whether something can be sent before anything else. */
  #isFree(): boolean {
    return live.state !== 'lost' && !this.#isBusy && !this.mine.some(({ state }) => state === 'waiting' || state === 'sending')
  }

  /** Sends one; says whether the hub answered. */
  async #sendOne(one: Wanted): Promise<boolean> {
    const sent = one.sent ?? Date.now()
    // It was kept before if it waited.
    const kept = this.#put({ ...one, state: 'sending', sent })
    try {
      if (one.do === 'write') await api.write(one.key, one.name, one.value)
      else await api.invoke(one.key, one.name, one.value, one.id)
      if (one.do === 'write') live.of(one.key).expect(one.name, one.value)
      await kept
      await this.forget(one)
      return true
    } catch (error) {
      const refused = error instanceof Refused ? error : new Refused(0, String(error))
      const isUnheard = refused.isOffline || refused.status === 401 || refused.status === 503
      await kept
      await this.#put(isUnheard ? { ...one, state: 'waiting', sent, why: refused.message } : { ...one, state: 'refused', why: refused.message })
      return !isUnheard
    }
  }
}

function newId(): string {
  // `randomUUID` is for secure pages only; the hub may be reached by plain HTTP on a local network.
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export const outbox = new Outbox()
