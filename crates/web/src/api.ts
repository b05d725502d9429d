// The hub's HTTP API, typed: asks, and tells a refusal as what a person can read.

import { urnOf, type Description, type Key, type Kind, type Schema } from './td'

/** A refusal of the hub (RFC 9457), or that there was no answer (`status` 0). */
export class Refused extends Error {
  override name = 'Refused'
  constructor(
    readonly status: number,
    detail: string,
    readonly needs?: string,
    readonly errors: { field?: string; description: string }[] = [],
  ) {
    super(detail)
  }
  /** Nobody answered: try again later. */
  get isOffline(): boolean {
    return this.status === 0
  }
}

export interface Found {
  address: Key
  kind: Kind
  title: string
  types: string[]
  labels: Record<string, string>
  connectivity?: Connectivity
  position?: { latitude: number; longitude: number }
  /** Members of its description, if they were asked for. */
  described?: Description
}
export interface Connectivity {
  state: 'unknown' | 'online' | 'asleep' | 'lost' | 'silent'
  since?: string
  lastHeard?: string
  reason?: string
}
export interface Twin {
  reported?: { value: unknown; at: string; by?: string }
  desired?: { value: unknown; status: string; since?: string; by?: string; why?: string }
  unit?: string
}
/** What was reported of a property: one by one (`value`), or in parts of `step_s` seconds. */
export interface Values {
  /** All is known that was reported since. */
  since: string
  from: string
  to: string
  count: number
  before?: { at: number; value: unknown }
  at: number[]
  value?: unknown[]
  step_s?: number
  counts?: number[]
  min?: (number | null)[]
  max?: (number | null)[]
  avg?: (number | null)[]
  last?: unknown[]
}
export interface Change {
  at: string
  by?: string
  what: 'described' | 'forgotten' | 'wanted' | 'asked' | 'admitted' | 'related'
  name?: string
  status?: string
  value?: unknown
  why?: string
  /** Changes with the same one tell what became of it. */
  request?: string
  event: string
}
export interface Relation {
  relation: string
  to: string
  from?: string
  until?: string
  by?: string
}
/** Something of a journey: what was said, or a run of a flow. */
export interface Fact {
  id: string
  at: string
  /** What led to it; of what became of a request, the request. */
  because?: string
  hidden?: boolean
  by?: string
  topic?: string
  value?: unknown
  bytes?: number
  flow?: Key
  did?: number
  failed?: string
}
/** Who spoke to whom: persons and machines. */
export type Mix = 'M2M' | 'P2M' | 'M2P' | 'P2P'
/** An event and all that it caused. */
export interface Journey {
  event: string
  at: string
  until: string
  count: number
  begin: Fact
  /** What an element reported because of it, if it was said at a topic of a device's own. */
  reported?: Fact
  flows: Key[]
  elements: Key[]
  mix: Mix[]
  /** What became last of what was wanted or asked for. */
  status?: string
  failed?: boolean
  began_before?: boolean
  facts?: Fact[]
}
export interface Access {
  who: Key
  role: string
  rights?: { may: string[]; on?: string; of?: string[]; topics?: string[] }[]
  path: { from: string; relation: string; to: string }[]
  until?: string
}
export interface May {
  allowed: boolean
  /** By which relations. */
  path?: Access['path']
  until?: string
  missing?: { lacks: string; path?: Access['path'] }[]
  /** Who can allow it. */
  ask?: { who: Key; title?: string }[]
}
export interface Flow {
  name: string
  key: Key
  title?: string
  version: string
  owner: string | null
  state: 'enabled' | 'disabled' | 'suspended'
  because?: string | null
  counts: { runs: number; failed: number; missed: number }
  lastRun?: string
  at: string
  by: string
  text?: string
}
export interface Explained extends Flow {
  says: string[]
  runs: Run[]
  missed: Missed[]
}
export interface Run {
  run: string
  at: string
  because?: { topic?: string; by?: string; at?: string }
  did?: string[]
  /** The elements that it wanted something of. */
  to?: string[]
  failed?: unknown
  grouped?: number
  /** Where it went: `/do/0/toggle`. */
  steps?: StepTaken[]
}
/** A step of a run: what it gave, or that it was left out. */
export interface StepTaken {
  step: string
  gave?: unknown
  skipped?: boolean
}
/** A place that a hub can show: things that are simulated, people, flows. */
export interface Scenario {
  name: string
  title: string
  description: string
  parameters: { name: string; title: string; default: string }[]
  lookAt: { element: string; says: string }[]
  isThere: boolean
  isRunning: boolean
  speed?: number
  trouble?: string
}
/** A person of a scenario, and the link that opens its account. */
export interface Invited {
  title: string
  description: string
  link: string
}
/** What was found in a definition that nobody deployed yet. */
export interface Checked {
  isGood: boolean
  name?: string
  problems: { line: number; column: number; isError: boolean; what: string }[]
}
/** What an event would lead to. */
export interface Tried {
  would?: { did?: string[]; failed?: unknown; steps?: StepTaken[] }
  missed?: { why?: string; values?: string[] }[]
}
export interface Missed {
  at: string
  topic?: string
  by?: string
  why?: string
  values?: string[]
}
export interface RefusedMessage {
  at: string
  topic?: string
  element?: string
  name?: string
  by?: string
  problems?: { field?: string; description: string }[]
  [more: string]: unknown
}
export interface Invocation {
  href: string
  status: 'pending' | 'delivered' | 'running' | 'completed' | 'failed' | 'cancelled' | 'expired' | 'told'
  input?: unknown
  output?: unknown
  error?: unknown
  by?: string
  timeRequested?: string
  timeEnded?: string
}
export interface Me {
  element: Key
  name?: string
}
/** What a role allows; `may` of `read`, `write`, `invoke`, `report` and `manage`. */
export interface Role {
  title?: string
  rights: { may: string[]; on?: string; of?: string[]; fields?: string[]; topics?: string[] }[]
}
/** What opens the door, shown this once. */
export interface Issued {
  id: string
  user: string
  password: string
  token: string
  issuedAt: string
}
export interface Credential {
  id: string
  name?: string
  issuedAt: string
  issuedBy?: string
  expiresAt?: string
}
export interface Invitation {
  id: string
  element?: Key
  issuedAt: string
  expiresAt: string
  /** Only in the answer to whoever made it. */
  code?: string
}
/** A message that is of no element, with what a first rule would make of it. */
export interface Unmapped {
  topic: string
  payload: string
  at: string
  by: string
  rule: Rule
}
export interface Rule {
  name?: string
  topic: string
  key: string
  title?: string
  property?: string
  event?: string
  set?: string
  contentType?: string
  schema?: Schema
  [more: string]: unknown
}
/** What a rule makes of a message. */
export interface Mapped {
  topic: string
  payload: string
  problem?: string
  element?: Key
  title?: string
  values?: Record<string, unknown>
  properties?: Record<string, Schema>
}
export interface Session {
  id: string
  device: string
  signedInBy: string
  issuedAt: string
  lastSeenAt?: string
  isThis: boolean
}
export interface Token {
  id: string
  name?: string
  issuedAt: string
  expiresAt?: string
  scope?: { may?: string[]; in?: string[] }
}
export interface Account {
  element: Key
  name: string
  factors: { password: boolean; code: boolean; passkeys: number; recoveryCodes: number }
  passkeys: { id: string; name: string; addedAt: string }[]
  sessions: Session[]
  tokens: Token[]
}
/** A line of the audit. */
export interface Entry {
  n: number
  at: string
  what: string
  who: string
  on?: string
  value?: unknown
  why?: string
  deed?: string
  door?: string
  from?: string
  times?: number
}

/** What the hub notices of an element. */
export interface Signal {
  name: string
  title: string
  on: boolean
}

/** Says that a script asks: then a browser does not ask for a password in a window of its own. */
const SCRIPT = { 'x-requested-with': 'quartet' }

/** Called when a request is refused because nobody is signed in (any more). */
export const onSignedOut = { call: (): void => {} }

async function ask<Answer>(method: string, path: string, body?: unknown, more: Record<string, string> = {}, patience_ms = 15_000): Promise<Answer> {
  let answer: Response
  let text: string
  try {
    answer = await fetch(path, {
      method,
      headers: { accept: 'application/json', ...SCRIPT, ...(body === undefined || body instanceof Blob ? {} : { 'content-type': 'application/json' }), ...more },
      body: body instanceof Blob || body === undefined ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(patience_ms),
    })
    text = await answer.text()
  } catch {
    throw new Refused(0, 'the hub does not answer')
  }
  let value: unknown
  try {
    value = text ? JSON.parse(text) : undefined
  } catch {
    value = undefined // Something in between answered.
  }
  if (answer.ok) return value as Answer
  const problem = (value ?? {}) as { detail?: string; needs?: string; validationErrors?: { field?: string; description: string }[] }
  if (answer.status === 502 || answer.status === 504) {
    // A proxy without a hub behind it has no problem document.
    if (!problem.detail) throw new Refused(0, 'the hub does not answer')
  }
  if (answer.status === 401 && path !== '/api/session') onSignedOut.call()
  throw new Refused(answer.status, problem.detail ?? `the hub answered ${answer.status}`, problem.needs, problem.validationErrors)
}

/** The path of an element in the API; its id is one segment. */
export const pathOf = (key: Key): string => {
  const at = key.indexOf('/')
  return `/api/${key.slice(0, at)}/${encodeURIComponent(key.slice(at + 1))}`
}
const part = encodeURIComponent
/** Elements that are asked for at once: as many as the hub tells, which may take a while on a thin line. */
const PAGE = 10_000
const LONG_MS = 120_000
const yaml = (text: string) => new Blob([text], { type: 'application/yaml' })
const json = (value: unknown) => new Blob([JSON.stringify(value)])

export const api = {
  session: () => ask<Me>('GET', '/api/session'),
  signOut: () => ask<void>('DELETE', '/api/session'),

  /** All elements that may be seen, page by page, with these members of their descriptions. */
  async elements(members: readonly string[] = []): Promise<Found[]> {
    const query = members.map((name) => `&with=${part(name)}`).join('')
    const all: Found[] = []
    let after = ''
    do {
      const page = await ask<{ elements: Found[]; next?: string }>('GET', `/api/elements?limit=${PAGE}${query}${after && `&after=${part(after)}`}`, undefined, {}, LONG_MS)
      all.push(...page.elements)
      after = page.next ?? ''
    } while (after)
    return all
  },
  /** Whether the hub answers whoever asks; what it answers does not matter. */
  probe: () => ask<unknown>('GET', '/api/elements?limit=1'),
  scenarios: async () => (await ask<{ scenarios: Scenario[] }>('GET', '/api/scenarios')).scenarios,
  show: (name: string, speed: number, set: Record<string, string>) => ask<{ invited: Invited[] }>('POST', `/api/scenarios/${part(name)}`, { speed, set }),
  unshow: (name: string) => ask<void>('DELETE', `/api/scenarios/${part(name)}`),
  describe: (key: Key) => ask<Description>('GET', pathOf(key), undefined, { accept: 'application/td+json' }),
  twin: (key: Key) => ask<Record<string, Twin>>('GET', `${pathOf(key)}/twin`),
  values: (key: Key, name: string, field: string | undefined, from: Date, points: number) =>
    ask<Values>('GET', `${pathOf(key)}/properties/${part(name)}/values?from=${from.toISOString()}&points=${points}${field === undefined ? '' : `&field=${part(field)}`}`),
  changes: (key: Key, limit = 20) => ask<{ changes: Change[] }>('GET', `${pathOf(key)}/history?limit=${limit}`),
  relations: (key: Key) => ask<{ relations: Relation[] }>('GET', `${pathOf(key)}/relations`),
  journeys: ({ limit, before, element, idle }: { limit: number; before?: string | undefined; element?: Key; idle?: boolean }) =>
    ask<{ journeys: Journey[]; next?: string; since: string }>('GET', `/api/journeys?limit=${limit}${before ? `&before=${part(before)}` : ''}${element ? `&element=${part(element)}` : ''}${idle ? '&idle=true' : ''}`),
  journey: (event: string) => ask<Journey>('GET', `/api/journeys/${part(event)}`),
  access: (key: Key) => ask<{ access: Access[] }>('GET', `${pathOf(key)}/access`),
  reach: (key: Key, deed: string) => ask<{ everything: boolean; elements?: Key[] }>('GET', `${pathOf(key)}/reach?deed=${deed}`),
  /** Oneself, if nobody else is named. */
  may: (deed: string, on: Key, what: string, who?: Key) => ask<May>('GET', `/api/may?deed=${deed}&on=${part(on)}&part=${part(what)}${who ? `&who=${part(who)}` : ''}`),
  relate: (key: Key, relation: Relation) => ask<void>('PUT', `${pathOf(key)}/relations`, relation),
  unrelate: (key: Key, relation: string, to: string) => ask<void>('DELETE', `${pathOf(key)}/relations?relation=${part(relation)}&to=${part(to)}`),
  putRole: (name: string, role: Role) => ask<void>('PUT', `/api/roles/${part(name)}`, role),
  removeRole: (name: string) => ask<void>('DELETE', `/api/roles/${part(name)}`),
  roles: () => ask<{ roles: Record<string, Role>; builtIn: string[] }>('GET', '/api/roles'),

  /** Describes an element that is not there yet. */
  create: (td: Description) => ask<void>('PUT', `/things/${part(td.id ?? '')}`, json(td), { 'if-none-match': '*', 'content-type': 'application/td+json' }),
  /** Changes some members of a description; what is null goes. */
  amend: (key: Key, change: Description) => ask<void>('PATCH', `/things/${part(urnOf(key))}`, json(change), { 'content-type': 'application/merge-patch+json' }),
  replace: (key: Key, td: Description) => ask<void>('PUT', `/things/${part(urnOf(key))}`, json(td), { 'content-type': 'application/td+json' }),
  /** A picture of the floor plan, in place of another one. It may take long over a slow line. */
  putPicture: (key: Key, picture: Blob) => ask<void>('PUT', `${pathOf(key)}/plan`, picture, {}, LONG_MS),
  removePicture: (key: Key) => ask<void>('DELETE', `${pathOf(key)}/plan`),
  forget: (key: Key) => ask<void>('DELETE', `/things/${part(urnOf(key))}`),
  issue: (key: Key, name: string) => ask<Issued>('POST', `${pathOf(key)}/credentials`, { name }),
  /** With the topics that the element may use beside its own address. */
  credentials: (key: Key) => ask<{ credentials: Credential[]; topics: string[] }>('GET', `${pathOf(key)}/credentials`),
  revoke: (key: Key, id: string) => ask<void>('DELETE', `${pathOf(key)}/credentials/${part(id)}`),
  grantTopics: (key: Key, topics: string[]) => ask<void>('PATCH', `${pathOf(key)}/credentials`, { topics }),
  invite: (wanted: { element: Key; expiry_s?: number; owner?: boolean; relations?: Relation[] }) => ask<Invitation>('POST', '/api/invitations', wanted),
  invitations: () => ask<{ invitations: Invitation[] }>('GET', '/api/invitations'),
  uninvite: (id: string) => ask<void>('DELETE', `/api/invitations/${part(id)}`),

  unmapped: () => ask<{ unmapped: Unmapped[] }>('GET', '/api/unmapped'),
  rules: () => ask<{ rules: Rule[] }>('GET', '/api/rules'),
  preview: (rule: Rule) => ask<{ messages: Mapped[] }>('POST', '/api/rules/preview', { rule }),
  putRule: (name: string, rule: Rule) => ask<void>('PUT', `/api/rules/${part(name)}`, rule),

  account: () => ask<Account>('GET', '/api/account'),
  endSession: (id: string) => ask<void>('DELETE', `/api/account/sessions/${part(id)}`),
  endOtherSessions: () => ask<void>('DELETE', '/api/account/sessions'),
  removePasskey: (id: string) => ask<void>('DELETE', `/api/account/passkeys/${part(id)}`),
  makeToken: (wanted: { name: string; expiry_s: number; scope?: Token['scope'] }) => ask<Issued>('POST', '/api/account/tokens', wanted),
  revokeToken: (id: string) => ask<void>('DELETE', `/api/account/tokens/${part(id)}`),
  audit: (query: Record<string, string>) => ask<{ entries: Entry[]; next?: number; head?: { n: number; hash: string } }>('GET', `/api/audit?${new URLSearchParams(query)}`),

  write: (key: Key, name: string, value: unknown) => ask<void>('PUT', `${pathOf(key)}/properties/${part(name)}`, value),
  /** Sent again under the same `request` it is done once. */
  invoke: (key: Key, name: string, input: unknown, request: string) => ask<unknown>('POST', `${pathOf(key)}/actions/${part(name)}`, input, { 'idempotency-key': request }),
  invocations: (key: Key) => ask<Record<string, Invocation[]>>('GET', `${pathOf(key)}/actions`),
  cancel: (href: string) => ask<void>('DELETE', href),

  flows: () => ask<{ flows: Flow[] }>('GET', '/api/flows'),
  /** The signals that are about an element, as far as whoever asks may hear of them. */
  signals: async (key: Key) => (await ask<{ signals: Signal[] }>('GET', `${pathOf(key)}/signals`)).signals,
  flow: (name: string) => ask<Flow>('GET', `/api/flows/${part(name)}`),
  explain: (name: string) => ask<Explained>('GET', `/api/flows/${part(name)}/explain`),
  setFlow: (name: string, state: 'enabled' | 'disabled') => ask<void>('PUT', `/api/flows/${part(name)}/state`, { state }),
  check: (definition: string) => ask<Checked>('POST', '/api/drafts/check', yaml(definition)),
  tryDraft: (definition: string, event: unknown) => ask<Tried>('POST', '/api/drafts/try', { definition, event }),
  deploy: (definition: string) => ask<{ name: string }>('POST', '/api/flows', yaml(definition)),
  refused: () => ask<{ refused: RefusedMessage[] }>('GET', '/api/refused'),
}
