// A line over time: what the hub knows of a property, and what came since it was asked.

import type { Values } from './api'

/** Columns, as they are drawn. Where many reports are one point, the least and the greatest of them stand beside it. */
export interface Line {
  at: number[]
  value: (number | null)[]
  least: (number | null)[]
  most: (number | null)[]
}
/** What came live: times in seconds, and values. */
export interface Points {
  at: number[]
  value: number[]
}

/** A number, or yes as 1; texts are none. */
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : null)

/** All from a time until now. A value holds until the next one: the first one is there from the beginning, the last one until now. */
export function lineOf(known: Values | undefined, came: Points | undefined, from_s: number, now_s: number): Line {
  const line: Line = { at: [], value: [], least: [], most: [] }
  const add = (at: number, value: number | null, least: number | null = null, most: number | null = null) => {
    line.at.push(at)
    line.value.push(value)
    line.least.push(least)
    line.most.push(most)
  }
  let before: number | null = null
  const take = (at: number, ...values: [number | null, ...(number | null)[]]) => {
    if (at < from_s) before = values[0]
    else {
      if (line.at.length === 0 && before !== null && at > from_s) add(from_s, before)
      add(at, ...values)
    }
  }
  if (known) {
    if (known.before) take(Math.min(known.before.at, from_s - 1), numberOf(known.before.value))
    known.at.forEach((at, nth) => {
      if (known.value) take(at, numberOf(known.value[nth]))
      else take(at, known.avg?.[nth] ?? null, known.min?.[nth] ?? null, known.max?.[nth] ?? null)
    })
  }
  // Of what a part of the time is told of, its end may be later than what came meanwhile.
  const known_s = known ? Date.parse(known.to) / 1000 : -Infinity
  came?.at.forEach((at, nth) => {
    if (at > known_s) take(at, came.value[nth] ?? null)
  })
  if (line.at.length === 0 && before !== null) add(from_s, before)
  const last = line.value.at(-1)
  if (last !== undefined && (line.at.at(-1) ?? 0) < now_s) add(now_s, last)
  return line
}

/** Whether something came and went between what the hub told and what is known live: then it is asked again. */
export const hasGap = (known: Values | undefined, came: Points | undefined, most: number): boolean =>
  known !== undefined && came !== undefined && came.at.length >= most && (came.at[0] ?? 0) > Date.parse(known.to) / 1000

/** Which point of a line holds at a time: the last one that is not later. */
export const nthAt = ({ at }: Line, time_s: number): number => at.findLastIndex((one) => one <= time_s)

/** The least and the greatest of a line, and its first and last value, if it has any. */
export function extentOf({ value, least, most }: Line): { least: number; most: number; first: number; last: number; count: number } | undefined {
  const all = value.filter((one) => one !== null)
  const [first, last] = [all[0], all.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const numbers = [...all, ...least.filter((one) => one !== null), ...most.filter((one) => one !== null)]
  return { least: numbers.reduce((a, b) => Math.min(a, b)), most: numbers.reduce((a, b) => Math.max(a, b)), first, last, count: all.length }
}
