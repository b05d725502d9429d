// The hub's HTTP API, typed: asks, and tells a refusal as what a person can read.

import type { Description, Key, Kind } from './td'

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
}
export interface Connectivity {
  state: 'unknown' | 'online' | 'asleep' | 'lost' | 'silent'
  since?: string
  lastHeard?: string
  reason?: string
}
export interface Twin {
  reported?: { value: unknown; at: string; by?: string }
  desired?: { value: unknown; status: string; at?: string; by?: string; why?: string }
  unit?: string
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
export interface Access {
  who: Key
  role: string
  rights?: { may: string[]; on?: string; of?: string[]; topics?: string[] }[]
  path: { from: string; relation: string; to: string }[]
  until?: string
}
export interface May {
  allowed: boolean
  until?: string
  missing?: { lacks: string }[]
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
  failed?: unknown
  grouped?: number
  /** Where it went: `/do/0/toggle`. */
  steps?: { step: string; gave?: unknown }[]
}
/** What was found in a definition that nobody deployed yet. */
export interface Checked {
  isGood: boolean
  name?: string
  problems: { line: number; column: number; isError: boolean; what: string }[]
}
/** What an event would lead to. */
export interface Tried {
  would?: { did?: string[]; failed?: unknown; steps?: { step: string; gave?: unknown }[] }
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

/** Says that a script asks: then a browser does not ask for a password in a window of its own. */
const SCRIPT = { 'x-requested-with': 'quartet' }

/** Called when a request is refused because nobody is signed in (any more). */
export const onSignedOut = { call: (): void => {} }

async function ask<Answer>(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer> {
  let answer: Response
  let text: string
  try {
    answer = await fetch(path, {
      method,
      headers: { accept: 'application/json', ...SCRIPT, ...(body === undefined || body instanceof Blob ? {} : { 'content-type': 'application/json' }), ...more },
      body: body instanceof Blob || body === undefined ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
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
const yaml = (text: string) => new Blob([text], { type: 'application/yaml' })

export const api = {
  session: () => ask<Me>('GET', '/api/session'),
  signOut: () => ask<void>('DELETE', '/api/session'),

  /** All elements that may be seen, page by page. */
  async elements(query = ''): Promise<Found[]> {
    const all: Found[] = []
    let after = ''
    do {
      const page = await ask<{ elements: Found[]; next?: string }>('GET', `/api/elements?limit=1000${query}${after && `&after=${part(after)}`}`)
      all.push(...page.elements)
      after = page.next ?? ''
    } while (after)
    return all
  },
  /** Whether the hub answers whoever asks; what it answers does not matter. */
  probe: () => ask<unknown>('GET', '/api/elements?limit=1'),
  /** The links of all descriptions: an identifier and its links, and so on. A search finds 10,000 values at most; past that
   * all descriptions are read. */
  async links(): Promise<unknown[]> {
    try {
      return await ask<unknown[]>('GET', `/search/jsonpath?query=${part('$[?@.links]["id","links"]')}`)
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 400) throw error
    }
    const answer = await fetch('/api/elements/export', { headers: SCRIPT }).catch(() => undefined)
    if (!answer?.ok) throw new Refused(answer?.status ?? 0, 'the hub does not give its descriptions')
    const lines = (await answer.text()).split('\n').filter(Boolean)
    return lines.flatMap((line) => {
      const { id, links } = JSON.parse(line) as Description
      return links ? [id, links] : []
    })
  },
  describe: (key: Key) => ask<Description>('GET', pathOf(key), undefined, { accept: 'application/td+json' }),
  twin: (key: Key) => ask<Record<string, Twin>>('GET', `${pathOf(key)}/twin`),
  changes: (key: Key, limit = 20) => ask<{ changes: Change[] }>('GET', `${pathOf(key)}/history?limit=${limit}`),
  relations: (key: Key) => ask<{ relations: Relation[] }>('GET', `${pathOf(key)}/relations`),
  access: (key: Key) => ask<{ access: Access[] }>('GET', `${pathOf(key)}/access`),
  reach: (key: Key, deed: string) => ask<{ everything: boolean; elements?: Key[] }>('GET', `${pathOf(key)}/reach?deed=${deed}`),
  may: (deed: string, on: Key, what: string) => ask<May>('GET', `/api/may?deed=${deed}&on=${part(on)}&part=${part(what)}`),

  write: (key: Key, name: string, value: unknown) => ask<void>('PUT', `${pathOf(key)}/properties/${part(name)}`, value),
  /** Sent again under the same `request` it is done once. */
  invoke: (key: Key, name: string, input: unknown, request: string) => ask<unknown>('POST', `${pathOf(key)}/actions/${part(name)}`, input, { 'idempotency-key': request }),
  invocations: (key: Key) => ask<Record<string, Invocation[]>>('GET', `${pathOf(key)}/actions`),
  cancel: (href: string) => ask<void>('DELETE', href),

  flows: () => ask<{ flows: Flow[] }>('GET', '/api/flows'),
  flow: (name: string) => ask<Flow>('GET', `/api/flows/${part(name)}`),
  explain: (name: string) => ask<Explained>('GET', `/api/flows/${part(name)}/explain`),
  setFlow: (name: string, state: 'enabled' | 'disabled') => ask<void>('PUT', `/api/flows/${part(name)}/state`, { state }),
  check: (definition: string) => ask<Checked>('POST', '/api/drafts/check', yaml(definition)),
  tryDraft: (definition: string, event: unknown) => ask<Tried>('POST', '/api/drafts/try', { definition, event }),
  deploy: (definition: string) => ask<{ name: string }>('POST', '/api/flows', yaml(definition)),
  refused: () => ask<{ refused: RefusedMessage[] }>('GET', '/api/refused'),
}
