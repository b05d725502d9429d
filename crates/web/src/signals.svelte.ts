// What signals are called: what they make of an element's reports is told by their titles, to whoever may hear of it.

import { api, type Signal } from './api'
import type { Key } from './td'

const ENDED = '.ended'
/** Signals may be new, or others: those of an element are asked for again after so long. */
const AGAIN_MS = 60_000

class Signals {
  #about = $state.raw<ReadonlyMap<Key, Signal[]>>(new Map())
  readonly #asked = new Map<Key, number>()

  /** Those about an element. */
  about(key: Key): Signal[] {
    this.#look(key)
    return this.#about.get(key) ?? []
  }

  /** What an event of an element says, if a signal says it: that something became so, or is so no longer. */
  says(key: Key, event: string): string | undefined {
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
