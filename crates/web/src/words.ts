// How values, units and times are said to a person, in the language of the browser.

import { catalogue } from './catalogue.svelte'
import type { Key, Schema } from './td'

/** Units as people write them; others stand as the description says them. */
const UNITS: Record<string, string> = {
  '1': '', Cel: '°C', '[degF]': '°F', deg: '°', 'kW.h': 'kWh', 'W.h': 'Wh', m3: 'm³', m2: 'm²', 'm/s2': 'm/s²', '[ppm]': 'ppm', percent: '%', By: 'B', 'By/s': 'B/s',
}

export const unitOf = (unit: string | undefined): string => (unit === undefined ? '' : (UNITS[unit] ?? unit))

const numbers = new Map<number, Intl.NumberFormat>()
/** A number with at most so many decimals. */
function decimals(value: number, most: number): string {
  let format = numbers.get(most)
  if (!format) numbers.set(most, (format = new Intl.NumberFormat(undefined, { maximumFractionDigits: most })))
  return format.format(value)
}

/** A number with its unit; bytes grow into larger ones. */
export function measure(value: number, unit?: string): { number: string; unit: string } {
  if (unit === 'By' || unit === 'By/s') {
    const steps = ['B', 'kB', 'MB', 'GB', 'TB']
    let at = 0
    let rest = value
    while (Math.abs(rest) >= 1000 && at < steps.length - 1) {
      rest /= 1000
      at++
    }
    return { number: decimals(rest, rest < 10 && at ? 1 : 0), unit: (steps[at] ?? 'B') + unit.slice(2) }
  }
  const size = Math.abs(value)
  return { number: decimals(value, size >= 1000 ? 0 : size >= 100 ? 1 : 2), unit: unitOf(unit) }
}

/** Numbers along an axis, all with as many decimals as their distance needs; bytes in the unit of the largest. */
export function ticks(all: number[], distance: number, unit?: string): string[] {
  const most = Math.max(...all.map(Math.abs))
  const power = unit === 'By' || unit === 'By/s' ? Math.max(0, Math.floor(Math.log10(most || 1) / 3)) : 0
  const scale = 1000 ** power
  const few = Math.min(6, Math.max(0, Math.ceil(-Math.log10(distance / scale) - 1e-9)))
  const format = new Intl.NumberFormat(undefined, { minimumFractionDigits: few, maximumFractionDigits: few })
  return all.map((one) => format.format(one / scale) + (scale > 1 ? ` ${['', 'kB', 'MB', 'GB', 'TB'][power] ?? ''}` : ''))
}

/** A name as it stands in code, as words: `received_bytes_per_s` and `lastHeard` alike. */
export function wordsOf(name: string): string {
  if (name.includes('.')) return name
  if (name === name.toUpperCase()) return name.replaceAll('_', ' ')
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1 $2').replaceAll(/[_-]+/g, ' ').trim()
  return words ? words[0]!.toUpperCase() + words.slice(1).toLowerCase() : name
}

/** Whether a text is an element's place on earth. */
const isPosition = (value: object): value is { latitude: number; longitude: number } =>
  'latitude' in value && 'longitude' in value

/** Any value in one line. */
export function say(value: unknown, schema: Schema = {}): string {
  if (value === undefined) return '–'
  if (value === null) return 'none'
  if (typeof value === 'boolean') return sayTruth(value, schema)
  if (typeof value === 'number') {
    const { number, unit } = measure(value, schema.unit)
    return unit === '%' || !unit ? number + unit : `${number} ${unit}`
  }
  if (typeof value === 'string') {
    if (schema.format === 'date-time' || isMoment(value)) return moment(value)
    // Of an element that is known it is the title that tells something.
    if (catalogue.byKey.has(value as Key)) return catalogue.titleOf(value)
    return value === '' ? 'none' : value
  }
  if (Array.isArray(value)) {
    const few = value.slice(0, 3).map((one) => say(one, schema.items))
    return value.length === 0 ? 'none' : value.length > 3 ? `${few.join(', ')} and ${value.length - 3} more` : few.join(', ')
  }
  if (isPosition(value)) return `${decimals(value.latitude, 5)}°, ${decimals(value.longitude, 5)}°`
  const members = Object.entries(value)
  const state = (value as Record<string, unknown>).state
  if (typeof state === 'string') return state
  return members.map(([name, one]) => `${memberOf(name)} ${say(one, schema.properties?.[name] ?? unitByName(name))}`).join(', ')
}

/** What a member of an object is called: its value has the unit that stands in its name. */
export const memberOf = (name: string): string => wordsOf(name.replace(/_(bytes_per_s|bytes|percent)$/, ''))

/** Whether what a value is called must stand beside it, or its unit says it. */
export const isPlain = (schema: Schema): boolean => /^(Cel|°C|\[degF\]|W|kW|kWh|kW\.h|V|A|lx|ppm)$/.test(schema.unit ?? '')

/** What a name says of its unit, where nothing else does: `used_bytes`, `load_percent`. */
export function unitByName(name: string): Schema {
  if (/_bytes_per_s$/.test(name)) return { unit: 'By/s' }
  if (/_bytes$/.test(name)) return { unit: 'By' }
  return /_percent$/.test(name) ? { unit: '%' } : {}
}

/** What true and false are called, for what is common in buildings. */
const PAIRS: [RegExp, string, string][] = [
  [/^occup/, 'Occupied', 'Empty'],
  [/^(motion|moving)/, 'Motion', 'No motion'],
  [/^(open|contact)/, 'Open', 'Closed'],
  [/^locked/, 'Locked', 'Unlocked'],
  [/^(leak|wet|water leak)/, 'Wet', 'Dry'],
]

/** True and false in the words that fit what is said: a lamp is on, a door is open. */
export function sayTruth(value: boolean, schema: Schema): string {
  const title = (schema.title ?? '').toLowerCase()
  const pair = PAIRS.find(([words]) => words.test(title))
  if (pair) return value ? pair[1] : pair[2]
  const isSwitch = !title || /^(on|power|state|enabled|switch)\b/.test(title)
  return isSwitch ? (value ? 'On' : 'Off') : value ? 'Yes' : 'No'
}

const isMoment = (text: string) => /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' })
const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [[60, 'second'], [60, 'minute'], [24, 'hour'], [7, 'day']]

/** How long ago something was, roughly; the date once that is longer than a week. */
export function ago(at: string | number, now: number): string {
  const then = typeof at === 'number' ? at : Date.parse(at)
  let rest = (then - now) / 1000
  if (Number.isNaN(rest)) return '–'
  if (Math.abs(rest) < 5) return 'now'
  for (const [size, unit] of STEPS) {
    if (Math.abs(rest) < size) return relative.format(Math.round(rest), unit)
    rest /= size
  }
  return new Date(then).toLocaleDateString(undefined, { dateStyle: 'medium' })
}

/** A moment in full, in the time of whoever looks. */
export function moment(at: string | number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return String(at)
  const isToday = date.toDateString() === new Date().toDateString()
  return isToday
    ? date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

/** A reason as a sentence: the hub begins small. */
export function sentence(text: string): string {
  const plain = text.replace(/`([^`]*)`/g, '“$1”')
  const whole = plain ? plain[0]!.toUpperCase() + plain.slice(1) : plain
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`
}
