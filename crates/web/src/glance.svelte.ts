// How it is at a place: what the things in it say together. Kept current while it is on the screen.

import { catalogue, describe } from './catalogue.svelte'
import { live } from './live.svelte'
import { isLight, kindOf, switchOf, typesOf, type Description, type Key } from './td'
import { measure } from './words'

/** More things than this are not asked for a first look. */
const MOST = 12
const TOLD = new Set(['temperature', 'humidity', 'on', 'state', 'occupied', 'occupancy'])

export class Glance {
  #tds = $state.raw<Map<Key, Description>>(new Map())
  readonly inside: Key[]
  readonly looked: Key[]
  readonly temperature
  readonly humidity
  readonly lights
  readonly lit
  readonly presence
  readonly isOccupied

  /** To be made where a component begins. */
  constructor(key: () => Key, isSeen: () => boolean) {
    this.inside = $derived((catalogue.inside.get(key()) ?? []).filter((one) => kindOf(one) !== 'places'))
    this.looked = $derived(this.inside.slice(0, MOST))
    const degrees = $derived(this.#readings((name, types) => name === 'temperature' && !types.includes('HVAC')).filter((value) => typeof value === 'number'))
    this.temperature = $derived(degrees.length > 0 ? measure(Math.round((10 * degrees.reduce((a, b) => a + b, 0)) / degrees.length) / 10, 'Cel') : undefined)
    this.humidity = $derived(this.#readings((name) => name === 'humidity').find((value) => typeof value === 'number'))
    this.lights = $derived(this.#readings((name, _, td) => name === switchOf(td) && isLight(td)))
    this.lit = $derived(this.lights.filter((on) => on === true).length)
    this.presence = $derived(this.#readings((name) => name === 'occupied' || name === 'occupancy'))
    this.isOccupied = $derived(this.presence.some((value) => value === true || (typeof value === 'number' && value > 0)))

    // Only what is shown is kept current.
    const watched = $derived([...this.#tds].filter(([, td]) => Object.keys(td.properties ?? {}).some((name) => TOLD.has(name))).map(([one]) => one))
    $effect(() => {
      if (!isSeen()) return
      const ends = watched.map((one) => live.watch(one))
      return () => ends.forEach((end) => end())
    })
    $effect(() => {
      if (!isSeen()) return
      const all = this.looked
      void Promise.all(all.map((one) => describe(one).then((td) => [one, td] as const, () => undefined))).then((found) => {
        // A computation does not follow a state that it makes itself, so these are made before.
        for (const one of all) live.of(one)
        this.#tds = new Map(found.filter((one) => one !== undefined))
      })
    })
  }

  /** The readings of a kind that things here report. */
  #readings(fits: (name: string, types: string[], td: Description) => boolean): unknown[] {
    const all: unknown[] = []
    for (const [one, td] of this.#tds) {
      for (const name of Object.keys(td.properties ?? {})) {
        const reading = live.of(one).readings[name]
        if (reading && fits(name, typesOf(td), td)) all.push(reading.value)
      }
    }
    return all
  }
}
