// Where somebody is in the app: paths below /app/, without a reload.

import { isKind, makeKey, type Key } from './td'

const BASE = '/app'

export type Page =
  | { name: 'now' }
  | { name: 'places' }
  | { name: 'flows' }
  | { name: 'flow'; flow: string }
  /** A flow being written: a new one if none is named. */
  | { name: 'write'; flow?: string }
  | { name: 'element'; key: Key }
  | { name: 'set-up' }
  | { name: 'step'; step: Step }
  | { name: 'security' }
  | { name: 'audit' }
  | { name: 'journeys' }
  /** One event, or one run of a flow: what followed from it, and what it followed from. */
  | { name: 'journey'; event: string }
  | { name: 'missing'; path: string }

/** What is set up by a form, each on a page of its own below /app/set-up/. */
export const STEPS = ['connect', 'connect/heard', 'connect/new', 'connect/code', 'connect/dialect', 'place', 'person', 'team', 'right', 'role', 'this-phone', 'scenario'] as const
export type Step = (typeof STEPS)[number]

export function read(pathname: string): Page {
  const path = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname
  const [first = '', second, ...rest] = path.split('/').filter(Boolean).map(decode)
  // Names of flows have a dot.
  if (first === 'flows' && second === 'new' && rest.length === 0) return { name: 'write' }
  if (first === 'flows' && second !== undefined && rest.length === 1 && rest[0] === 'edit') return { name: 'write', flow: second }
  if (first === 'set-up' && second !== undefined) {
    const step = STEPS.find((one) => one === [second, ...rest].join('/'))
    return step ? { name: 'step', step } : { name: 'missing', path }
  }
  if (first === 'security' && second === 'audit' && rest.length === 0) return { name: 'audit' }
  if (rest.length > 0) return { name: 'missing', path }
  if (second !== undefined && first === 'journeys') return { name: 'journey', event: second }
  if (second !== undefined && first === 'flows') return { name: 'flow', flow: second }
  if (second !== undefined && isKind(first)) return { name: 'element', key: makeKey(first, second) }
  if (second !== undefined) return { name: 'missing', path }
  if (first === '' || first === 'index.html') return { name: 'now' }
  if (first === 'places' || first === 'flows' || first === 'set-up' || first === 'security' || first === 'journeys') return { name: first }
  return { name: 'missing', path }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const segment = (text: string) => encodeURIComponent(text).replaceAll('%3A', ':')
export const hrefOf = (key: Key): string => `${BASE}/${key.slice(0, key.indexOf('/'))}/${segment(key.slice(key.indexOf('/') + 1))}`
export const flowHref = (name: string): string => `${BASE}/flows/${segment(name)}`
export const journeyHref = (event: string): string => `${BASE}/journeys/${segment(event)}`
export const writeHref = (name?: string): string => (name === undefined ? `${BASE}/flows/new` : `${flowHref(name)}/edit`)

/** To the beginning of what is another page now; whoever hears it is told where that is. */
export function toTop(): void {
  scrollTo(0, 0)
  requestAnimationFrame(() => focusHeading(40))
}
/** A page that is still loading has no heading yet. */
function focusHeading(tries: number): void {
  const heading = document.querySelector<HTMLElement>('main h1')
  if (heading) heading.focus({ preventScroll: true })
  else if (tries > 0) setTimeout(() => focusHeading(tries - 1), 50)
}

class Router {
  page = $state.raw<Page>(read(location.pathname))

  constructor() {
    addEventListener('popstate', () => (this.page = read(location.pathname)))
  }

  go(href: string): void {
    if (href !== location.pathname + location.search) history.pushState(null, '', href)
    this.page = read(location.pathname)
    toTop()
  }

  /** Links of the app do not reload it; all others, and those for a new tab, are the browser's. */
  follow = (event: MouseEvent): void => {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    if (link.target || link.origin !== location.origin || !(link.pathname === BASE || link.pathname.startsWith(`${BASE}/`))) return
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

export const router = new Router()
