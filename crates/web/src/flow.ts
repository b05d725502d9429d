// A definition in the Open Workflow DSL as a list of steps to be drawn, each with where it stands in the definition.

import { parse } from 'yaml'
import type { Run, StepTaken } from './api'

export interface Step {
  /** As runs name it: `/do/0/toggle`. */
  at: string
  name: string
  /** What it does, in a word of the language: `call`, `set`, `switch`… */
  does: string
  /** The same in words for a person. */
  says: string
  /** Where it goes on, if not with the next one. */
  then?: string
  /** Under which condition it is taken. */
  when?: string
  branches?: { name: string; when?: string; then?: string }[]
  inside?: Step[]
}
export interface Drawing {
  /** What starts it. */
  starts: string[]
  steps: Step[]
}

/** What an element is called that goes by a name. */
type TitleOf = (name: string) => string
type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const WORDS = ['call', 'set', 'switch', 'emit', 'for', 'do', 'fork', 'try', 'raise', 'wait', 'listen', 'run'] as const

/** Throws if the text is no YAML. */
export function draw(text: string, titleOf: TitleOf = (name) => name): Drawing {
  const definition: unknown = parse(text)
  if (!isObject(definition)) return { starts: [], steps: [] }
  return { starts: starts(definition.schedule, titleOf), steps: stepsOf(definition.do, '/do', titleOf) }
}

/** An event that a definition may wait for, as far as it says which: to begin with. */
export function eventFor(text: string): Json {
  const definition: unknown = parse(text)
  const schedule = isObject(definition) && isObject(definition.schedule) ? definition.schedule : {}
  const on = isObject(schedule.on) ? schedule.on : {}
  const first = [on.one, ...[on.any, on.all].flat()].find(isObject)
  const wanted = isObject(first?.with) ? first.with : {}
  const fixed = Object.entries(wanted).filter(([name, value]) => name !== 'data' && typeof value === 'string' && !value.startsWith('${'))
  const word = /\.(\w+)\s*==\s*"([^"]*)"/.exec(typeof wanted.data === 'string' ? wanted.data : '')
  return { type: 'io.ioe.thing.event', ...Object.fromEntries(fixed), data: word?.[1] === undefined ? {} : { [word[1]]: word[2] } }
}

/** An expression without the signs around it, a value as JSON. */
function told(value: unknown): string {
  if (typeof value === 'string') return /^\$\{(.*)\}$/s.exec(value.trim())?.[1]?.trim() ?? value
  return value === undefined ? '' : JSON.stringify(value)
}

function starts(schedule: unknown, titleOf: TitleOf): string[] {
  if (!isObject(schedule)) return ['when it is started']
  if (schedule.cron) return [`at ${told(schedule.cron)}`]
  if (schedule.every) return [`every ${isObject(schedule.every) ? Object.entries(schedule.every).map(([unit, n]) => `${told(n)} ${unit}`).join(' ') : told(schedule.every)}`]
  if (schedule.after) return ['some time after it ended']
  const on = isObject(schedule.on) ? schedule.on : {}
  const filters = [on.one, ...[on.any, on.all].flat()].filter(isObject)
  return filters.map(({ with: wanted }) => {
    if (!isObject(wanted)) return 'any event'
    const { type, subject, data, ...more } = wanted
    const [, what] = /^io\.ioe\.\w+\.(property|action|event)$/.exec(told(type)) ?? []
    const kind = what === 'property' ? 'a value' : what ? `an ${what}` : told(type)
    const parts = [kind, subject === undefined ? '' : `of ${titleOf(told(subject))}`, data === undefined ? '' : `if ${told(data)}`]
    return [...parts, ...Object.entries(more).map(([name, value]) => `${name} ${told(value)}`)].filter(Boolean).join(' ')
  })
}

function stepsOf(list: unknown, at: string, titleOf: TitleOf): Step[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((entry, index) => {
    const [name, task] = isObject(entry) ? (Object.entries(entry)[0] ?? []) : []
    return name !== undefined && isObject(task) ? [stepOf(name, task, `${at}/${index}/${name}`, titleOf)] : []
  })
}

function stepOf(name: string, task: Json, at: string, titleOf: TitleOf): Step {
  const does = WORDS.find((word) => word in task) ?? 'do'
  const step: Step = { at, name, does, says: says(does, task, titleOf) }
  if (typeof task.then === 'string') step.then = task.then
  if (task.if !== undefined) step.when = told(task.if)
  if (does === 'switch' && Array.isArray(task.switch)) {
    step.branches = task.switch.flatMap((one: unknown) => {
      const [branch, of] = isObject(one) ? (Object.entries(one)[0] ?? []) : []
      if (branch === undefined || !isObject(of)) return []
      return [{ name: branch, when: of.when === undefined ? undefined : told(of.when), then: typeof of.then === 'string' ? of.then : undefined }]
    })
  }
  const inside = stepsOf(does === 'try' ? task.try : task.do, `${at}/${does === 'try' ? 'try' : 'do'}`, titleOf)
  if (does === 'fork' && isObject(task.fork)) inside.push(...stepsOf(task.fork.branches, `${at}/fork/branches`, titleOf))
  if (isObject(task.catch)) inside.push(...stepsOf(task.catch.do, `${at}/catch/do`, titleOf))
  if (inside.length > 0) step.inside = inside
  return step
}

function says(does: string, task: Json, titleOf: TitleOf): string {
  const arguments_ = isObject(task.with) ? task.with : {}
  const of = (name: string) => told(arguments_[name])
  const all = (name: string, each = (one: string) => one) => {
    const list = arguments_[name]
    return Array.isArray(list) ? list.map((one) => each(told(one))).join(', ') : of(name)
  }
  const who = () => (arguments_.thing === undefined ? all('things', titleOf) : titleOf(of('thing')))
  switch (does) {
    case 'call':
      if (task.call === 'invoke') return `asks ${who()} to ${of('action')}${arguments_.input === undefined ? '' : ` with ${of('input')}`}`
      if (task.call === 'write') return `wants ${of('property')} of ${who()} to be ${of('value')}`
      if (task.call === 'read') return `reads ${of('property') || all('properties')} of ${who()}`
      if (task.call === 'notify') return `tells ${of('who') || of('to') || 'somebody'}: ${of('title') || of('text') || of('message')}`
      return `calls ${told(task.call)}`
    case 'emit': {
      const event = isObject(task.emit) && isObject(task.emit.event) && isObject(task.emit.event.with) ? task.emit.event.with : {}
      return `says ${told(event.type)}`
    }
    case 'set':
      return `sets ${isObject(task.set) ? Object.keys(task.set).join(', ') : told(task.set)}`
    case 'switch':
      return 'decides'
    case 'for':
      return isObject(task.for) ? `for each ${told(task.for.each) || 'item'} in ${told(task.for.in)}` : 'for each'
    case 'try':
      return 'tries'
    case 'raise':
      return 'fails on purpose'
    case 'wait':
      return `waits ${isObject(task.wait) ? Object.entries(task.wait).map(([unit, n]) => `${told(n)} ${unit}`).join(' ') : told(task.wait)}`
    case 'listen':
      return 'waits for events'
    case 'fork':
      return 'at the same time'
    default:
      return does === 'do' ? 'in this order' : does
  }
}

/** Which steps were taken, and not left out. */
export const takenBy = (steps: StepTaken[] | undefined): Set<string> => new Set((steps ?? []).filter(({ skipped }) => !skipped).map(({ step }) => step))

/** In how many of these runs each step was taken. */
export function countsOf(runs: Run[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { steps } of runs) for (const step of takenBy(steps)) counts.set(step, (counts.get(step) ?? 0) + 1)
  return counts
}
