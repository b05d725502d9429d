// One event and all that it caused, put together from what flows tell of their runs and what elements tell of wishes.
//
// The hub has no question for a journey yet. What follows a run is found by its flow, its element and its time: between
// this run and the flow's next one. What no flow did (a person's tap, and what the element made of it) is in no journey.

import { api, type Change, type Explained, type Run } from './api'
import { catalogue } from './catalogue.svelte'
import { journeyHref } from './router.svelte'
import { keyOf, kindOf, type Key } from './td'
import { say, wordsOf } from './words'

export interface Moment {
  id: string
  /** In microseconds since 1970. */
  at: number
  what: 'event' | 'run' | 'effect' | 'end'
  title: string
  /** Whose it is. */
  key?: Key
  /** More, in a line each. */
  says: string[]
  isBad?: boolean
  /** Leads to the journey of this run alone. */
  href?: string
  then: Moment[]
}
/** A run that is known, with its flow. */
export interface Known {
  flow: Explained
  run: Run
}
/** Who spoke to whom: persons and machines. */
export type Mix = 'M2M' | 'P2M' | 'M2P' | 'P2P'

const DEPTH_MAX = 8
const FLOWS_MAX = 60

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

/** What flows told, until they run again. */
const kept = new Map<string, { lastRun: string | undefined; at: string; told: Promise<Explained | undefined> }>()

/** All runs that flows still know, the last first; of so many flows as ran last. */
export async function knownRuns(most = FLOWS_MAX): Promise<Known[]> {
  const { flows } = await api.flows()
  const lively = flows.filter(({ lastRun }) => lastRun !== undefined).sort((a, b) => micros(b.lastRun ?? '') - micros(a.lastRun ?? ''))
  const told = await Promise.all(
    lively.slice(0, most).map(({ name, lastRun, at }) => {
      const there = kept.get(name)
      if (there && there.lastRun === lastRun && there.at === at) return there.told
      const told = api.explain(name).catch(() => undefined)
      kept.set(name, { lastRun, at, told })
      return told
    }),
  )
  const all = told.flatMap((flow) => (flow ? flow.runs.map((run) => ({ flow, run })) : []))
  return all.sort((a, b) => micros(b.run.at) - micros(a.run.at))
}

/** What a topic is about: “Pressed of Wall switch”. */
export function about(topic: string | undefined): string {
  const [kind, id, , part] = (topic ?? '').split('/')
  return kind && id && part ? `${wordsOf(part)} of ${catalogue.titleOf(`${kind}/${id}`)}` : (topic ?? 'The clock')
}

const isPerson = (key: string | undefined) => /^(people|teams)\//.test(key ?? '')
/** Who was behind the beginning of a run, and whom it reached. */
export function mixOf({ run }: Known): Mix {
  const from = isPerson(run.because?.by) || isPerson(run.because?.topic) ? 'P' : 'M'
  const to = run.to?.some(isPerson) ? 'P' : 'M'
  return `${from}2${to}`
}

/** One journey: its first run, and the runs of flows that followed. */
export interface Line {
  first: Known
  after: Known[]
}
/** Runs as journeys, the last first. */
export function linesOf(all: Known[]): Line[] {
  const lines = new Map<Known, Line>()
  for (const one of [...all].reverse()) {
    let first = one
    for (let depth = 0; depth < DEPTH_MAX; depth++) first = before(all, first) ?? first
    const line = lines.get(first)
    if (first === one || !line) lines.set(one, { first: one, after: [] })
    else line.after.push(one)
  }
  return [...lines.values()].reverse()
}

/** The run that a run came from, if a flow was behind its event. */
function before(all: Known[], { run }: Known): Known | undefined {
  const { by, at } = run.because ?? {}
  if (!by || !at) return undefined
  return all.filter((one) => one.flow.key === by && micros(one.run.at) <= micros(at)).sort((a, b) => micros(b.run.at) - micros(a.run.at))[0]
}

/** The whole journey that a run is a part of, from its first event on. */
export async function journeyOf(all: Known[], one: Known): Promise<Moment> {
  let first = one
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const earlier = before(all, first)
    if (!earlier || earlier === first) break
    first = earlier
  }
  const histories = new Map<Key, Promise<Change[]>>()
  const changes = (key: Key) => {
    let asked = histories.get(key)
    if (!asked) histories.set(key, (asked = api.changes(key, 200).then((told) => told.changes, () => [])))
    return asked
  }
  return cause(all, first, changes)
}

async function cause(all: Known[], one: Known, changes: (key: Key) => Promise<Change[]>): Promise<Moment> {
  const { topic, by, at } = one.run.because ?? {}
  const key = keyOf((topic ?? '').split('/').slice(0, 2).join('/'))
  const then: Moment[] = []
  // One event may have started several flows.
  for (const other of all) if (other === one || (topic && other.run.because?.topic === topic && other.run.because.at === at)) then.push(await ran(all, other, changes, 0))
  const says = by && by !== key ? [`said by ${by.includes('/') ? catalogue.titleOf(by) : by}`] : []
  return { id: `event ${topic} ${at}`, at: micros(at ?? one.run.at), what: 'event', title: about(topic), key, says, then }
}

async function ran(all: Known[], one: Known, changes: (key: Key) => Promise<Change[]>, depth: number): Promise<Moment> {
  const { flow, run } = one
  const begin = micros(run.at)
  const end = Math.min(...all.filter((other) => other.flow === flow && micros(other.run.at) > begin).map((other) => micros(other.run.at)), Infinity)
  const isMine = (at: string) => begin <= micros(at) && micros(at) < end
  const keys = (run.to ?? []).flatMap((to) => keyOf(to) ?? [])
  const effects = (await Promise.all(keys.map(async (key) => effectsAt(key, await changes(key), flow.key, isMine)))).flat()
  const next = all.filter((other) => other !== one && other.run.because?.by === flow.key && other.run.because.at !== undefined && isMine(other.run.because.at))
  const after = depth < DEPTH_MAX ? await Promise.all(next.map((other) => ran(all, other, changes, depth + 1))) : []
  const says = effects.length === 0 ? [...(run.did ?? [])] : []
  if (run.failed) says.push(say(run.failed))
  return {
    id: run.run,
    at: begin,
    what: 'run',
    title: flow.title ?? flow.name,
    key: flow.key,
    says,
    isBad: run.failed !== undefined && run.failed !== null,
    href: journeyHref(flow.name, run.run),
    then: [...effects, ...after].sort((a, b) => a.at - b.at),
  }
}

/** What was wanted of an element by a flow, and what became of it. */
function effectsAt(key: Key, changes: Change[], by: Key, isMine: (at: string) => boolean): Moment[] {
  const requests = new Map<string, Change[]>()
  for (const one of [...changes].reverse()) {
    if (one.what !== 'wanted' && one.what !== 'asked') continue
    const id = one.request ?? one.event
    requests.set(id, [...(requests.get(id) ?? []), one])
  }
  return [...requests.entries()].flatMap(([id, all]) => {
    const first = all[0]
    if (!first || first.by !== by || !isMine(first.at)) return []
    const name = wordsOf(first.name ?? '')
    const ends = all.slice(1).map((one) => ({ id: one.event, at: micros(one.at), what: 'end' as const, title: wordsOf(one.status ?? ''), says: one.why ? [one.why] : [], isBad: ['refused', 'failed', 'expired'].includes(one.status ?? ''), then: [] }))
    const title = first.what === 'wanted' ? `${name} of ${catalogue.titleOf(key)} is to be ${say(first.value)}` : `${catalogue.titleOf(key)} is asked: ${name}`
    const status = all.length === 1 && first.status && first.status !== 'pending' ? [`${first.status}${first.why ? `: ${first.why}` : ''}`] : all.length === 1 && first.status === 'pending' ? ['not answered yet'] : []
    return [{ id, at: micros(first.at), what: 'effect' as const, title, key, says: status, then: ends }]
  })
}

/** All moments of a journey below one. */
export const countOf = (moment: Moment): number => 1 + moment.then.reduce((sum, one) => sum + countOf(one), 0)
/** When the last moment was. */
export const lastOf = (moment: Moment): number => Math.max(moment.at, ...moment.then.map(lastOf))
/** Whose a moment is, as a kind. */
export const isOfPerson = (key: Key | undefined): boolean => key !== undefined && ['people', 'teams'].includes(kindOf(key))
