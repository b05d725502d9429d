// One event and all that it caused, as the hub tells it, in words and as a tree.

import type { Fact, Journey, Mix } from './api'
import { catalogue } from './catalogue.svelte'
import { signals } from './signals.svelte'
import { keyOf, kindOf, type Key } from './td'
import { say, wordsOf } from './words'

export interface Moment {
  id: string
  /** In microseconds since 1970. */
  at: number
  what: 'event' | 'run' | 'effect' | 'end' | 'hidden'
  title: string
  /** Whose it is. */
  key?: Key | undefined
  /** More, in a line each. */
  says: string[]
  isBad?: boolean
  then: Moment[]
}

/** A value shorter than this stands in a title. */
const SHORT = 40

export const MIXES: { mix: Mix; title: string }[] = [
  { mix: 'M2M', title: 'machine to machine' },
  { mix: 'P2M', title: 'person to machine' },
  { mix: 'M2P', title: 'machine to person' },
  { mix: 'P2P', title: 'person to person' },
]

/** A time of the hub, which has microseconds, where a `Date` has none. */
export function micros(at: string): number {
  const digits = /\.(\d+)/.exec(at)?.[1] ?? ''
  return Date.parse(at.replace(/\.\d+/, '')) * 1000 + Number(digits.padEnd(6, '0').slice(0, 6))
}

/** A span of time as a person says it. */
export function span(us: number): string {
  const format = (value: number, unit: string) => `${new Intl.NumberFormat(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} ${unit}`
  if (us < 1000) return format(us, 'µs')
  if (us < 1_000_000) return format(us / 1000, 'ms')
  if (us < 120_000_000) return format(us / 1_000_000, 's')
  return us < 7_200_000_000 ? format(us / 60_000_000, 'min') : format(us / 3_600_000_000, 'h')
}

/** Who is behind something, as one calls it. */
export const nameOf = (by: string | undefined): string => (by === undefined ? 'somebody' : by.includes('/') ? catalogue.titleOf(by) : by === 'api' ? 'somebody over HTTP' : by === 'hub' ? 'the hub' : by)

/** How a fact is told: a title, what it is, and whose. */
function wordsFor(fact: Fact): Omit<Moment, 'id' | 'at' | 'then'> {
  if (fact.hidden) return { what: 'hidden', title: 'Something that is not for you to see', says: [] }
  if (fact.flow) {
    const says = fact.failed ? [fact.failed] : fact.did === 0 ? ['it did nothing'] : []
    return { what: 'run', title: catalogue.titleOf(fact.flow), key: fact.flow, says, isBad: fact.failed !== undefined }
  }
  const topic = fact.topic ?? ''
  const [kind = '', id = '', folder, name, rest] = topic.split('/')
  const key = keyOf(`${kind}/${id}`)
  const part = wordsOf(name ?? '')
  const value = fact.value === undefined || fact.value === null ? '' : say(fact.value, { title: part })
  const by = fact.by && fact.by !== key ? [`by ${nameOf(fact.by)}`] : []
  if (!key || (folder !== undefined && name === undefined)) return { what: 'event', title: topic, says: [...(value ? [value] : []), ...by] }
  const owner = catalogue.titleOf(key)
  if (folder === undefined) return { what: 'event', title: `${owner} is described`, key, says: by }
  if (folder === 'properties' && rest === 'write') return { what: 'effect', title: `${part} of ${owner} is to be ${value}`, key, says: by }
  if (folder === 'properties' && rest === 'desired') return ended(fact.value, key)
  if (folder === 'properties') return { what: 'event', title: value && value.length < SHORT ? `${part} of ${owner} is ${value}` : `${part} of ${owner}`, key, says: value.length < SHORT ? by : [value, ...by] }
  if (folder === 'actions' && rest === undefined) return { what: 'effect', title: `${owner} is asked: ${part}`, key, says: [...(value ? [value] : []), ...by] }
  if (folder === 'actions') return ended(fact.value, key)
  const said = signals.says(key, name ?? '')
  if (said) return { what: 'event', title: `${said}: ${owner}`, key, says: by }
  const isShort = value !== '' && typeof fact.value !== 'object' && value.length < SHORT
  return { what: 'event', title: isShort ? `${part} of ${owner}: ${value}` : `${part} of ${owner}`, key, says: [...(value && !isShort ? [value] : []), ...by] }
}

/** What became of a wish or a request. */
function ended(value: unknown, key: Key): Omit<Moment, 'id' | 'at' | 'then'> {
  const { status = '', reason, delivered, error } = (value ?? {}) as { status?: string; reason?: string; delivered?: string; error?: { detail?: string } }
  const why = reason ?? error?.detail
  const title = status === 'pending' && delivered ? 'Delivered' : wordsOf(status)
  return { what: 'end', title, key, says: why ? [why] : [], isBad: ['refused', 'failed', 'expired'].includes(status) }
}

/** That a wish waits is said by the wish. */
const isStill = ({ topic = '', value }: Fact): boolean => {
  const { status, delivered } = (typeof value === 'object' && value !== null ? value : {}) as { status?: string; delivered?: string }
  return /\/(desired|actions\/[^/]+\/[^/]+)$/.test(topic) && status === 'pending' && delivered === undefined
}

const PASSED_ON = 'Passed on'

/** A journey as a tree, from its first event on. */
export function treeOf({ facts = [] }: Journey): Moment | undefined {
  const byId = new Map<string, { fact: Fact; moment: Moment }>()
  let first: Moment | undefined
  for (const fact of facts) {
    if (isStill(fact)) continue
    const cause = fact.because === undefined ? undefined : byId.get(fact.because)
    const moment: Moment = { id: fact.id, at: micros(fact.at), then: [], ...wordsFor(fact) }
    // What is wanted of a thing is said to it once more, at its own address or as it understands it.
    if (cause?.moment.what === 'effect' && (fact.topic === cause.fact.topic || moment.key === undefined) && moment.what !== 'hidden') {
      Object.assign(moment, { what: 'end', title: PASSED_ON, says: fact.topic === cause.fact.topic ? [] : [`at ${fact.topic}`] })
      const passed = cause.moment.then.find(({ title }) => title === PASSED_ON)
      if (passed) {
        passed.says.push(...moment.says)
        continue
      }
    }
    // Who is behind what a run did stands above it.
    if (cause?.moment.what === 'run') moment.says = moment.says.filter((line) => !line.startsWith('by '))
    byId.set(fact.id, { fact, moment })
    if (!first) first = moment
    else (cause?.moment ?? first).then.push(moment)
  }
  return first
}

/** What a journey began with, in a few words, and by whom if that is not whose it is. */
export function beginOf({ begin, reported }: Journey): { title: string; by?: string | undefined } {
  if (reported) return { title: wordsFor(reported).title }
  const { title, key } = wordsFor(begin)
  return { title, by: begin.by && begin.by !== key && begin.by !== 'hub' ? nameOf(begin.by) : undefined }
}

/** What came of a journey, in a line. */
export function courseOf({ begin, flows, elements, failed, status }: Journey): string {
  const own = keyOf((begin.topic ?? '').split('/').slice(0, 2).join('/')) ?? elements[0]
  const reached = elements.filter((key) => key !== own && kindOf(key) !== 'processes')
  const all = [...flows.map((key) => catalogue.titleOf(key)), ...(reached.length > 3 ? [`${reached.length} things`] : reached.map((key) => catalogue.titleOf(key)))]
  const course = all.join(' → ')
  if (failed) return `${course}; something failed`
  return course || (status ? wordsOf(status) : 'Noticed; no flow did anything')
}

/** All moments of a journey below one. */
export const countOf = (moment: Moment): number => 1 + moment.then.reduce((sum, one) => sum + countOf(one), 0)
/** When the last moment was. */
export const lastOf = (moment: Moment): number => Math.max(moment.at, ...moment.then.map(lastOf))
