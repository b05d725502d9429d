// What there is: all elements that may be seen, by name, and which is in which place. Values are not in it.

import { api, Refused, type Found } from './api'
import { keep } from './keep'
import { framePlans, readPlan, type Plan } from './plan'
import { keyOf, kindOf, type Description, type Key, type Link } from './td'

interface Kept {
  elements: Found[]
  links: unknown[]
  plans?: unknown[][]
  at: number
}

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

  #links: unknown[] = []
  #plans: unknown[][] = []

  /** Asks what there is; who is where is asked again only where descriptions may have changed. */
  async look(isDescribedAnew = true): Promise<void> {
    try {
      const [elements, links, plans] = await Promise.all([
        api.elements(),
        isDescribedAnew ? api.links().catch(() => this.#links) : this.#links,
        isDescribedAnew ? Promise.all([api.plans(), api.fences(), api.positions()]).catch(() => this.#plans) : this.#plans,
      ])
      if (isDescribedAnew) described.clear()
      this.#links = links
      this.#plans = plans
      this.#take({ elements, links, plans, at: Date.now() })
      this.problem = undefined
      await keep.put('answers', 'catalogue', { elements, links, plans, at: this.at }).catch(() => undefined)
    } catch (error) {
      this.problem = error instanceof Refused ? error : new Refused(0, String(error))
      if (this.isKnown || !this.problem.isOffline) return
      const kept = await keep.get<Kept>('answers', 'catalogue').catch(() => undefined)
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

  #take({ elements, links, plans = [], at }: Kept): void {
    this.at = at
    this.isKnown = true
    this.elements = elements
    this.byKey = new Map(elements.map((one) => [one.address, one]))
    const placeOf = new Map<Key, Key>()
    const inside = new Map<Key, Key[]>()
    const towards = new Map<Key, { from: Key; rel: string }[]>()
    for (let i = 0; i + 1 < links.length; i += 2) {
      const from = keyOf(String(links[i]))
      if (!from || !Array.isArray(links[i + 1])) continue
      for (const { rel, href } of links[i + 1] as Link[]) {
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
    const [drawn = [], fences = [], positions = []] = plans
    const planned = framePlans(fences, positions)
    for (let i = 0; i + 1 < drawn.length; i += 2) {
      const key = keyOf(String(drawn[i]))
      const plan = key && readPlan(drawn[i + 1], planned.get(key))
      if (plan) planned.set(key, plan)
    }
    this.plans = planned
    this.placeOf = placeOf
    this.inside = inside
    this.towards = towards
  }
}

export const catalogue = new Catalogue()

const described = new Map<Key, Promise<Description>>()

/** An element's description, asked once while the page is open; what was kept, if nobody answers. */
export function describe(key: Key): Promise<Description> {
  let asked = described.get(key)
  if (!asked) described.set(key, (asked = ask(key)))
  return asked
}

async function ask(key: Key): Promise<Description> {
  try {
    const td = await api.describe(key)
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
