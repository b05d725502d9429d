// Rights in words: what a role allows, and by which relations somebody may.

import type { Access, Role } from './api'
import { catalogue } from './catalogue.svelte'
import { titleOf, type Description } from './td'
import { wordsOf } from './words'

const DEEDS: Record<string, string> = { read: 'see', write: 'set', invoke: 'ask for', report: 'speak for', manage: 'decide about' }

/** `read, write` of `properties/rate` as “see and set rate”. */
function sayRight({ may, on, of, fields, topics }: Role['rights'][number], called = (_folder: string, name: string) => wordsOf(name).toLowerCase()): string {
  const deeds = may.map((deed) => DEEDS[deed] ?? deed)
  const whole = deeds.length > 1 ? `${deeds.slice(0, -1).join(', ')} and ${deeds.at(-1)}` : (deeds[0] ?? '')
  if (topics) return `${whole} topics ${topics.join(', ')}`
  const [folder, name] = (on ?? '*').split('/')
  const what = !on || on === '*' ? 'everything' : name === '*' ? `all ${folder}` : (name ? called(folder ?? '', name) : (folder ?? ''))
  return `${whole} ${what}${of ? ` of ${of.join(', ')}` : ''}${fields ? ` (only ${fields.join(', ')})` : ''}`
}

/** What a role allows, in a line. */
export const sayRole = ({ rights }: Role): string => rights.filter(({ topics }) => !topics).map((right) => sayRight(right)).join('; ')

/** What rights allow with one element, in its own words; those for what it has not are left out. */
export function sayRights(rights: Role['rights'], kind: string, td: Description): string[] {
  const has = (folder: string, name: string) => name === '*' || td[folder as 'properties']?.[name] !== undefined
  const called = (folder: string, name: string) => titleOf(name, td[folder as 'properties']?.[name], td.title).toLowerCase()
  return rights.flatMap(({ of, ...right }) => {
    const [folder, name] = (right.on ?? '*').split('/')
    if (right.topics || (of && !of.includes(kind)) || (folder && name && !has(folder, name))) return []
    return [sayRight(right, called)]
  })
}

/** A path of relations: “Ben is guest of House · Desk lamp is in House”. */
export const sayPath = (path: Access['path']): string => path.map(sayLink).join(' · ')

/** What somebody is, by a relation: “a member of”, “guest of”. */
export const sayRelation = (relation: string): string => (relation === 'memberOf' ? 'a member of' : relation === 'onDuty' ? 'on duty for' : relation === 'in' ? 'in' : `${relation} of`)

function sayLink({ from, relation, to }: Access['path'][number]): string {
  return `${catalogue.titleOf(from)} is ${sayRelation(relation)} ${catalogue.titleOf(to)}`
}

/** Something to be done, as a person asks for it. */
export const sayDeed = (deed: string, part: string): string => `${DEEDS[deed] ?? deed} ${part === 'description' ? 'it' : wordsOf(part.slice(part.indexOf('/') + 1)).toLowerCase()}`
