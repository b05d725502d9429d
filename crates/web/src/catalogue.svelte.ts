// What there is: all elements that may be seen, by name, and which is in which place. Values are not in it.

import { api, Refused, type Found } from './api'
import { keep } from './keep'
import { framePlans, readPlan, type Plan } from './plan'
import { keyOf, kindOf, type Description, type Key } from './td'

interface Kept {
  elements: Found[]
  at: number
}

/** What descriptions say of where something is. */
const WHERE = ['links', 'plan', 'quartet:fence', 'quartet:position']
/** Under which name what there is is kept. */
const KEPT = 'elements'

class Catalogue {
  elements = $state.raw<Found[]>([])
  byKey = $state.raw<ReadonlyMap<Key, Found>>(new Map())
  /** By element, the place that it is in. */
  placeOf = $state.raw<ReadonlyMap<Key, Key>>(new Map())
  /** By place, what is in it. */
  inside = $state.raw<ReadonlyMap<Key, Key[]>>(new Map())
  /** By element, links of others that lead to it. */
  towards = $state.raw<ReadonlyMap<Key, { from: Key; rel: string }[]>>(new Map())
  /** The floor plans of places. */
  plans = $state.raw<ReadonlyMap<Key, Plan>>(new Map())
  isKnown = $state(false)
  /** When it was told; older than the page if the hub does not answer. */
  at = $state(0)
  problem = $state.raw<Refused | undefined>()

  /** Whether what is known was told to this page, and where it is with it. */
  #isTold = false

  /** Asks what there is; who is where is asked again only where descriptions may have changed. */
  async look(isDescribedAnew = true): Promise<void> {
    try {
      const isWhole = isDescribedAnew || !this.#isTold
      const elements = await api.elements(isWhole ? WHERE : [])
      if (isWhole) described.clear()
      else for (const one of elements) one.described = this.byKey.get(one.address)?.described
      this.#take({ elements, at: Date.now() })
      this.#isTold = true
      this.problem = undefined
      await keep.put('answers', KEPT, { elements, at: this.at }).catch(() => undefined)
    } catch (error) {
      this.problem = error instanceof Refused ? error : new Refused(0, String(error))
      if (this.isKnown || !this.problem.isOffline) return
      const kept = await keep.get<Kept>('answers', KEPT).catch(() => undefined)
      if (kept) this.#take(kept)
    }
  }

  /** Asks until something new is in the list, which is a moment behind. */
  async lookFor(key: Key): Promise<void> {
    for (let tries = 0; tries < 8; tries++) {
      await this.look()
      if (this.byKey.has(key) || this.problem) return
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  titleOf(key: Key | string): string {
    if (key === 'places/hub') return 'the hub'
    return this.byKey.get(key as Key)?.title ?? key.slice(key.indexOf('/') + 1)
  }

  /** The places around an element, the outermost first. */
  around(key: Key): Key[] {
    const around: Key[] = []
    for (let at = this.placeOf.get(key); at && !around.includes(at); at = this.placeOf.get(at)) around.unshift(at)
    return around
  }

  /** Places that are in no other one. */
  get roots(): Key[] {
    const places = this.elements.filter(({ address }) => kindOf(address) === 'places')
    return places.map(({ address }) => address).filter((key) => !this.placeOf.has(key) && key !== 'places/hub')
  }

  #take({ elements, at }: Kept): void {
    this.at = at
    this.isKnown = true
    this.elements = elements
    this.byKey = new Map(elements.map((one) => [one.address, one]))
    const placeOf = new Map<Key, Key>()
    const inside = new Map<Key, Key[]>()
    const towards = new Map<Key, { from: Key; rel: string }[]>()
    for (const { address: from, described } of elements) {
      if (!Array.isArray(described?.links)) continue
      for (const { rel, href } of described.links) {
        const to = typeof href === 'string' ? keyOf(href) : undefined
        if (!to || !rel) continue
        // A place that may not be seen is as if it were not there: what is in it stands by itself.
        if (rel === 'in' && !placeOf.has(from) && this.byKey.has(to)) {
          placeOf.set(from, to)
          const there = inside.get(to)
          if (there) there.push(from)
          else inside.set(to, [from])
        } else if (rel !== 'in') {
          const there = towards.get(to)
          if (there) there.push({ from, rel })
          else towards.set(to, [{ from, rel }])
        }
      }
    }
    const plans = framePlans(elements.map(({ address, described = {} }) => [address, described]))
    for (const { address, described } of elements) {
      const plan = readPlan(described?.plan, plans.get(address))
      if (plan) plans.set(address, plan)
    }
    this.plans = plans
    this.placeOf = placeOf
    this.inside = inside
    this.towards = towards
  }
}

export const catalogue = new Catalogue()

const described = new Map<Key, Promise<Description>>()
/** Descriptions that are asked for at the same time: a page with a hundred things is to be seen before it knows them all. */
const AT_ONCE = 8
/** Who waits: those who came together in order, and those who came last first, since they are looked at now. */
const waiting: (() => void)[][] = []
let together: (() => void)[] | undefined
let underWay = 0
/** Until when nobody is asked: the hub did not answer a moment ago, and who waits has what was kept. */
let awayUntil = 0
const AWAY_MS = 3000

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (underWay < AT_ONCE) underWay++
  else await new Promise<void>(wait)
  try {
    return await work()
  } finally {
    while (waiting.at(-1)?.length === 0) waiting.pop()
    const next = waiting.at(-1)?.shift()
    if (next) next()
    else underWay--
  }
}

function wait(begin: () => void): void {
  if (!together) {
    together = []
    setTimeout(() => (together = undefined))
  }
  if (!waiting.includes(together)) waiting.push(together)
  together.push(begin)
}

/** An element's description, asked once while the page is open; what was kept, if nobody answers. */
export function describe(key: Key): Promise<Description> {
  let asked = described.get(key)
  if (!asked) described.set(key, (asked = ask(key)))
  return asked
}

async function askHub(key: Key): Promise<Description> {
  if (performance.now() < awayUntil) throw new Refused(0, 'the hub does not answer')
  try {
    return await api.describe(key)
  } catch (error) {
    if (error instanceof Refused && error.isOffline) awayUntil = performance.now() + AWAY_MS
    throw error
  }
}

async function ask(key: Key): Promise<Description> {
  try {
    const td = await inTurn(() => askHub(key))
    await keep.put('answers', `td ${key}`, td).catch(() => undefined)
    return td
  } catch (error) {
    described.delete(key)
    const isOffline = error instanceof Refused && error.isOffline
    const kept = isOffline ? await keep.get<Description>('answers', `td ${key}`).catch(() => undefined) : undefined
    if (kept) return kept
    throw error
  }
}
