// What signals are called, for whoever may know it: what they make of reports is told by their titles.

import { api } from './api'

const ENDED = '.ended'
/** A signal that is not known may be new: it is asked again after so long. */
const AGAIN_MS = 60_000

class Signals {
  #titles = $state.raw<ReadonlyMap<string, string>>(new Map())
  #asked = -AGAIN_MS

  /** What an event says, if a signal says it: that something became so, or is so no longer. */
  says(event: string): string | undefined {
    const isOver = event.endsWith(ENDED)
    const title = this.#titles.get(isOver ? event.slice(0, -ENDED.length) : event)
    if (title === undefined) this.#look()
    return title && (isOver ? `${title}: no longer` : title)
  }

  #look(): void {
    if (performance.now() < this.#asked + AGAIN_MS) return
    this.#asked = performance.now()
    void api.signals().then(({ signals }) => (this.#titles = new Map(signals.map(({ name, title }) => [name, title]))), () => undefined)
  }
}

export const signals = new Signals()
