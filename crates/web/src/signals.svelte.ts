// What signals are called: what they make of an element's reports is told by their titles, to whoever may hear of it.

import { api, type Signal } from './api'
import type { Key } from './td'

const ENDED = '.ended'
/** A signal that is not known may be new: those of its element are asked for again after so long. */
const AGAIN_MS = 60_000

class Signals {
  #about = $state.raw<ReadonlyMap<Key, Signal[]>>(new Map())
  readonly #asked = new Map<Key, number>()

  /** Those about an element. */
  about(key: Key): Signal[] {
    const all = this.#about.get(key)
    if (!all) this.#look(key)
    return all ?? []
  }

  /** What an event of an element says, if a signal says it: that something became so, or is so no longer. A thing's own events
   * have no dots in their names. */
  says(key: Key, event: string): string | undefined {
    if (!event.includes('.')) return undefined
    const isOver = event.endsWith(ENDED)
    const name = isOver ? event.slice(0, -ENDED.length) : event
    const title = this.#about.get(key)?.find((one) => one.name === name)?.title
    if (title === undefined) this.#look(key)
    return title && (isOver ? `${title}: no longer` : title)
  }

  #look(key: Key): void {
    if (performance.now() < (this.#asked.get(key) ?? -AGAIN_MS) + AGAIN_MS) return
    this.#asked.set(key, performance.now())
    void api.signals(key).then((all) => (this.#about = new Map([...this.#about, [key, all]])), () => undefined)
  }
}

export const signals = new Signals()
