// Who looks, and what that person may. The hub decides each time; what is known here only shows or hides controls.

import { api, onSignedOut, Refused, type Me } from './api'
import { keep } from './keep'
import { idOf, type Key } from './td'

export type Deed = 'read' | 'write' | 'invoke' | 'manage'
interface Reach {
  everything: boolean
  elements: Set<Key>
}

/** Says to the other windows of this browser that somebody came in. */
export const cameIn = new BroadcastChannel('quartet-came-in')
/** The address of the window in which somebody signed in again: it is needed no more. */
export const CAME_BACK = '?signed-in'

class Person {
  /** Nobody is signed in: then the hub is open to everybody, or there is nothing to see. */
  me = $state.raw<Me | undefined>()
  /** The hub said that a sign-in is needed. */
  isSignedOut = $state(false)
  #reach = new Map<Deed, Promise<Reach>>()
  #may = new Map<string, Promise<string | undefined>>()

  constructor() {
    onSignedOut.call = () => (this.isSignedOut = true)
  }

  async look(): Promise<void> {
    try {
      this.me = await api.session()
      this.isSignedOut = false
    } catch (error) {
      if (!(error instanceof Refused) || error.isOffline) {
        this.me ??= await keep.get<Me>('answers', 'me').catch(() => undefined)
        return
      }
      this.me = undefined
    }
    this.#reach.clear()
    this.#may.clear()
    const before = await keep.get<Me>('answers', 'me').catch(() => undefined)
    // What one person saw is not shown to the next.
    if (before?.element !== this.me?.element) await keep.clear('answers').catch(() => undefined)
    if (this.me) await keep.put('answers', 'me', { ...this.me }).catch(() => undefined)
  }

  /** Whether something of an element is in reach, at least in part. */
  async reaches(deed: Deed, key: Key): Promise<boolean> {
    if (!this.me) return true
    const { element } = this.me
    let reach = this.#reach.get(deed)
    if (!reach) {
      reach = api.reach(element, deed).then(
        ({ everything, elements }) => ({ everything, elements: new Set(elements) }),
        () => ({ everything: true, elements: new Set<Key>() }), // It is not known; the hub will say.
      )
      this.#reach.set(deed, reach)
    }
    const { everything, elements } = await reach
    return everything || elements.has(key)
  }

  /** What is missing for doing this, and whom to ask; nothing if it may be done, or if that is not known. */
  lacks(deed: Deed, key: Key, part: string): Promise<string | undefined> {
    if (!this.me) return Promise.resolve(undefined)
    const question = `${deed} ${key} ${part}`
    let answer = this.#may.get(question)
    if (!answer) {
      answer = this.#ask(deed, key, part)
      this.#may.set(question, answer)
      setTimeout(() => this.#may.delete(question), 60_000)
    }
    return answer
  }

  async #ask(deed: Deed, key: Key, part: string): Promise<string | undefined> {
    const reach = this.#reach.get(deed)
    if (reach && (await reach).everything) return undefined
    try {
      const { allowed, missing, ask = [] } = await api.may(deed, key, part)
      if (allowed) return undefined
      const able = ask.map(({ who, title }) => title ?? idOf(who)).join(' or ')
      return `${missing?.[0]?.lacks ?? 'no role of yours allows it'}${able && `; ask ${able}`}`
    } catch {
      return undefined
    }
  }

  /** What is missing for looking after the hub; nothing if nothing is, or if that is not known. */
  lacksHub(): Promise<string | undefined> {
    return this.lacks('manage', 'places/hub', 'description')
  }

  /** In a window beside this page, so that what was typed here stays; where none opens, in its place. */
  signInBeside(): void {
    if (!open(`/sign-in?to=${encodeURIComponent(`/app/${CAME_BACK}`)}`, 'quartet-sign-in')) this.signIn()
  }

  signIn(): void {
    location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`)
  }

  async signOut(): Promise<void> {
    await api.signOut()
    await keep.clear('answers').catch(() => undefined)
    location.assign('/sign-in?to=/app/')
  }

  get key(): Key | undefined {
    return this.me?.element
  }
}

export const person = new Person()
