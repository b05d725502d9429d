// Lines of the audit as sentences.

import type { Entry, Relation } from './api'
import { catalogue } from './catalogue.svelte'
import { sayDeed, sayRelation } from './rights'
import { idOf, type Key } from './td'
import { say, wordsOf } from './words'

/** What can have happened, in the words of a filter. */
export const WHAT: Record<string, string> = {
  'came-in': 'came in',
  'not-let-in': 'was not let in',
  refused: 'was refused',
  'signed-in': 'signed in',
  'signed-out': 'signed out',
  admitted: 'made a password',
  revoked: 'took a password back',
  topics: 'granted topics',
  granted: 'granted',
  taken: 'took away',
  suspended: 'suspended',
  restored: 'restored',
  account: 'changed an account',
  invited: 'invited',
  uninvited: 'ended an invitation',
  role: 'changed a role',
  rule: 'changed a rule',
  plan: 'changed a floor plan',
  forgotten: 'forgot an element',
  wanted: 'wanted',
  asked: 'asked',
  begun: 'began the record',
  missing: 'something is missing',
}
export const TONES: Record<string, 'bad' | 'good' | 'accent' | ''> = { 'not-let-in': 'bad', refused: 'bad', missing: 'bad', suspended: 'bad', granted: 'accent', taken: 'accent', admitted: 'accent', revoked: 'accent', invited: 'accent' }

const DOORS: Record<string, string> = { mqtt: 'MQTT', http: 'HTTP', websocket: 'WebSocket', coap: 'CoAP' }

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** An element, with what of it is meant: “level of Desk lamp”. */
function thing(on: string | undefined): string {
  if (!on) return ''
  const [kind, id, folder, ...rest] = on.split('/')
  if (!kind || !id) return on
  const of = catalogue.titleOf(`${kind}/${id}`)
  const part = rest.filter((one) => one !== 'write').join('/')
  return folder && part ? `${wordsOf(part).toLowerCase()} of ${of}` : of
}

const sayGrant = (who: string) => (one: Relation) => {
  const until = one.until ? ` until ${say(one.until)}` : ''
  return `${who} is ${sayRelation(one.relation)} ${catalogue.titleOf(one.to)}${until}`
}

/** What happened, behind the name of whoever did it. */
export function tell({ what, on, value, why, deed, door, from, times }: Entry): string {
  const way = `${door ? ` over ${DOORS[door] ?? door}` : ''}${from ? ` from ${from}` : ''}`
  const often = times && times > 1 ? `, ${times} times` : ''
  const of = isObject(value) ? value : {}
  const text = (member: string) => (typeof of[member] === 'string' ? of[member] : undefined)
  switch (what) {
    case 'came-in':
      return `came in${way}${often}`
    case 'not-let-in':
      return `was not let in${way}${often}`
    case 'refused':
      return `was refused${deed && on ? ` to ${sayDeed(deed, on.split('/').slice(2).join('/') || 'description')} of ${thing(on.split('/').slice(0, 2).join('/'))}` : on ? ` at ${on}` : ''}${way}${often}`
    case 'signed-in':
      return `signed in${text('by') ? ` by ${text('by')}` : ''}${text('device') ? `, in ${text('device')}` : ''}`
    case 'signed-out':
      return `signed out${text('device') ? `, in ${text('device')}` : ''}`
    case 'admitted':
      return `made a password for ${thing(on)}${text('name') ? `, “${text('name')}”` : ''}`
    case 'revoked':
      return `took a password of ${thing(on)} back`
    case 'topics':
      return `let ${thing(on)} use ${Array.isArray(value) && value.length > 0 ? value.join(', ') : 'no topics beside its own'}`
    case 'granted':
    case 'taken': {
      const who = thing(on)
      const all = Array.isArray(value) ? (value as Relation[]).map(sayGrant(who)).join('; ') : who
      return what === 'granted' ? `said that ${all}` : `took away that ${all}`
    }
    case 'suspended':
      return `suspended ${thing(on)}`
    case 'restored':
      return `let ${thing(on)} in again`
    case 'account':
      return `changed the account of ${thing(on)}`
    case 'invited':
      return on?.endsWith('/') ? 'invited several who choose their names' : `invited ${thing(on)}${of.owner === true ? ' as an owner' : ''}`
    case 'uninvited':
      return 'ended an invitation: it was used, or taken back'
    case 'role':
      return value === undefined || value === null ? `removed the role ${on}` : `changed what the role ${on} allows`
    case 'rule':
      return value === undefined || value === null ? `took the rule ${on} back` : `wrote the rule ${on}`
    case 'plan':
      return value === undefined || value === null ? `took the picture of the floor plan of ${thing(on)} away` : `put a picture of the floor plan of ${thing(on)} there`
    case 'forgotten':
      return `forgot ${on}`
    case 'wanted':
      return `wanted ${thing(on)} to be ${say(value)}`
    case 'asked':
      return `asked for ${thing(on)}${value === undefined || value === null ? '' : `, with ${say(value)}`}`
    case 'begun':
      return 'began this record'
    case 'missing':
      return `does not know what happened here${why ? '' : ': the journal let it go'}`
    default:
      return `${WHAT[what] ?? wordsOf(what).toLowerCase()} ${thing(on)}`
  }
}

/** Whoever did it. */
export const actorOf = ({ who }: Entry): string => (who === 'hub' || who === 'places/hub' ? 'The hub' : who === 'api' ? 'Somebody over HTTP' : !who ? 'Somebody' : who.includes('/') ? catalogue.titleOf(who) : idOf(`x/${who}` as Key))
