// Thing Descriptions as the app reads them: what an element is, what it can be asked, what it says.

import { wordsOf } from './words'

export const KINDS = ['things', 'people', 'teams', 'places', 'rooms', 'data', 'processes'] as const
export type Kind = (typeof KINDS)[number]
/** `things/lamp`: the same in every protocol. */
export type Key = `${Kind}/${string}`

export interface Schema {
  type?: string
  title?: string
  description?: string
  unit?: string
  format?: string
  enum?: unknown[]
  const?: unknown
  default?: unknown
  minimum?: number
  maximum?: number
  multipleOf?: number
  maxLength?: number
  readOnly?: boolean
  writeOnly?: boolean
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
}
export interface Property extends Schema {
  '@type'?: string | string[]
  observable?: boolean
  'quartet:by'?: string
}
export interface Action {
  title?: string
  description?: string
  input?: Schema
  output?: Schema
  synchronous?: boolean
}
export interface Happening {
  title?: string
  description?: string
  data?: Schema
}
export interface Link {
  rel?: string
  href: string
  'quartet:from'?: string
  'quartet:until'?: string
}
export interface Description {
  id?: string
  title?: string
  description?: string | null
  '@type'?: string | string[]
  properties?: Record<string, Property>
  actions?: Record<string, Action>
  events?: Record<string, Happening>
  links?: Link[] | null
  [more: string]: unknown
}

export const isKind = (text: string): text is Kind => (KINDS as readonly string[]).includes(text)

/** The element that an identifier or a link means: `urn:quartet:places:hall` is `places/hall`. */
export function keyOf(id: string): Key | undefined {
  const [, kind, name] = /^urn:quartet:(\w+):(.+)$/.exec(id) ?? []
  if (kind && name && isKind(kind)) return `${kind}/${name}`
  const [, folder, rest] = /^(\w+)\/([^/]+)$/.exec(id) ?? []
  if (folder && rest && isKind(folder)) return `${folder}/${rest}`
  return /^[a-z][a-z\d+.-]*:[^/]/i.test(id) ? `things/${id.replaceAll(/[/+#% ]/g, (c) => encodeURIComponent(c))}` : undefined
}

/** The identifier of an element in its description: the other way round. */
export const urnOf = (key: Key): string => (idOf(key).includes(':') ? decodeURIComponent(idOf(key)) : `urn:quartet:${key.replace('/', ':')}`)

export const kindOf = (key: Key): Kind => key.slice(0, key.indexOf('/')) as Kind
export const idOf = (key: Key): string => key.slice(key.indexOf('/') + 1)
export const makeKey = (kind: Kind, id: string): Key => `${kind}/${id}`
/** A name as an id: small letters and digits, with `-` between words; empty for a name in another script. */
export const idFor = (name: string): string =>
  name.normalize('NFKD').toLowerCase().replaceAll('ß', 'ss').replaceAll(/\p{M}+/gu, '').replaceAll(/[^a-z\d]+/g, '-').slice(0, 48).replaceAll(/^-+|-+$/g, '')
/** A description as it was said, without what the hub adds when it is read. */
export function ownOf(td: Description): Description {
  const isHubs = (value: unknown) => typeof value === 'object' && value !== null && (value as Record<string, unknown>)['quartet:by'] === 'hub'
  const own = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.filter((one) => !isHubs(one)).map(own)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).flatMap(([name, one]) => (isHubs(one) ? [] : [[name, own(one)] as const])))
  }
  const { registration: _, ...said } = own(td) as Description
  for (const name of ['properties', 'actions', 'events', 'forms', 'links'] as const) {
    const there = said[name]
    if (there && Object.keys(there).length === 0) delete said[name]
  }
  return said
}
/** What an affordance is called; what its element is called is left out of it: `Heater power` of a heater is its power. */
export function titleOf(name: string, of: { title?: string } | undefined, owner = ''): string {
  const title = of?.title || wordsOf(name)
  if (!owner || !title.toLowerCase().startsWith(owner.toLowerCase())) return title
  const rest = title.slice(owner.length)
  return rest === '' ? wordsOf(name) : rest.startsWith(' ') ? wordsOf(rest.trim()) : title
}

export const typesOf = (of: { '@type'?: string | string[] } | undefined): string[] => {
  const types = of?.['@type'] ?? []
  return (Array.isArray(types) ? types : [types]).map((type) => type.replace(/^.*[:#/]/, ''))
}

/** A schema's type, also where only its values tell. */
export function typeOf(schema: Schema, value?: unknown): string {
  if (schema.type) return schema.type
  if (schema.enum) return typeof schema.enum[0]
  if (schema.properties) return 'object'
  if (value === undefined || value === null) return 'string'
  return Array.isArray(value) ? 'array' : typeof value
}

const FIRST = ['on', 'state', 'temperature', 'presence', 'occupied', 'value', 'locked', 'power', 'setPoint', 'mode', 'brightness']

/** The property that puts an element on and off, if it has one. */
export const switchOf = (td: Description | undefined): string | undefined => ['on', 'state'].find((name) => td?.properties?.[name]?.type === 'boolean')
/** Whether an element gives light. */
export function isLight(td: Description | undefined): boolean {
  if (typesOf(td).some((type) => /light|lamp/i.test(type))) return true
  return switchOf(td) !== undefined && (td?.properties?.brightness !== undefined || /\b(lamp|light|bulb)s?\b/i.test(`${td?.title} ${td?.description ?? ''}`))
}

/** Whether a property says what its element is about, and not how its battery is. */
export const isTelling = (name: string, property: Property): boolean => FIRST.includes(name) || !property.readOnly

/** The properties in the order in which a person wants to see them: the telling ones first, the hub's own last. */
export function inOrder(all: Record<string, Property> | undefined): [string, Property][] {
  const rank = ([name, property]: [string, Property]) => {
    if (property['quartet:by'] === 'hub') return 1000
    const at = FIRST.indexOf(name)
    return at >= 0 ? at : property.type === 'object' || property.type === 'array' ? 200 : 100
  }
  return Object.entries(all ?? {})
    .filter(([, property]) => !property.writeOnly)
    .sort((a, b) => rank(a) - rank(b))
}
