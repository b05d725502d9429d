// What the pages of accounts share: requests, messages, passkeys.

export const byId = (id) => document.getElementById(id)

/** A refusal of the hub, in words for a person. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The hub answered ${status}.`)
    this.status = status
    this.needs = problem.needs
  }
}

/** Asks the hub; gives what it answers, or throws what it refuses. */
export async function ask(method, path, body) {
  let answer
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new Refused(0, { detail: 'The hub does not answer. Is it running?' })
  }
  const text = await answer.text()
  let value = {}
  try {
    value = text ? JSON.parse(text) : {}
  } catch {
    // What is no JSON came from something in between.
  }
  if (!answer.ok) throw new Refused(answer.status, value)
  return value
}

/** Says something in the page's place for it; nothing if there is nothing to say. */
export function say(text, kind = 'bad', where = byId('say')) {
  where.hidden = !text
  where.className = `say ${kind}`
  where.textContent = text ? sentence(text) : ''
}

/** A reason as a sentence: the hub begins small. */
function sentence(text) {
  const whole = text[0].toUpperCase() + text.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}

/** Runs what a button or a form does; what is refused is said, and nothing runs twice. */
export function when(element, event, act, where) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault()
    const buttons = element.matches('form') ? element.querySelectorAll('button') : [element]
    for (const button of buttons) button.disabled = true
    say('', 'bad', where)
    try {
      await act(happened)
    } catch (error) {
      if (error?.name === 'NotAllowedError') say('That was cancelled, or took too long. Try again.', 'bad', where)
      else say(error.message ?? String(error), 'bad', where)
    } finally {
      for (const button of buttons) button.disabled = false
    }
  })
}

/** Buttons that show what is typed into a password field. */
export function letShow() {
  for (const button of document.querySelectorAll('.secret button')) {
    const field = button.parentElement.querySelector('input')
    button.addEventListener('click', () => {
      const isHidden = field.type === 'password'
      field.type = isHidden ? 'text' : 'password'
      button.textContent = isHidden ? 'Hide' : 'Show'
      button.setAttribute('aria-pressed', String(isHidden))
      field.focus()
    })
  }
}

const bytes = (text) => {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(plain, (c) => c.charCodeAt(0))
}
const text = (buffer) => {
  const plain = String.fromCharCode(...new Uint8Array(buffer))
  return btoa(plain).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Why this page cannot use passkeys, if it cannot, and whether trust in the hub would help. */
function noPasskeys() {
  if (!window.isSecureContext) return ['Passkeys need https, or the hub’s own machine as localhost.', true]
  if (!window.PublicKeyCredential) return ['This browser has no passkeys.', false]
  if (/^[\d.]+$|^\[/.test(location.hostname)) return ['Passkeys need a name: open the hub as localhost or by its name, not by its address.', true]
  return ['', false]
}

/** A button for passkeys, where they can be used; the page says why they cannot, and what helps. */
export function letUsePasskeys(button) {
  const [why, trustHelps] = noPasskeys()
  const place = byId('no-passkeys')
  button.disabled = Boolean(why)
  place.hidden = !why
  place.textContent = why
  if (!trustHelps) return
  const link = document.createElement('a')
  link.href = '/trust'
  link.textContent = 'How this device gets there'
  place.append(' ', link)
}

/** Makes a passkey; gives what the hub is to know of it. */
export async function makePasskey({ publicKey }) {
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) }
  options.user = { ...publicKey.user, id: bytes(publicKey.user.id) }
  options.excludeCredentials = (publicKey.excludeCredentials ?? []).map((it) => ({ ...it, id: bytes(it.id) }))
  const made = await navigator.credentials.create({ publicKey: options })
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
    extensions: {},
  }
}

/** Shows a passkey; gives what proves it. */
export async function usePasskey({ publicKey }) {
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) }
  options.allowCredentials = (publicKey.allowCredentials ?? []).map((it) => ({ ...it, id: bytes(it.id) }))
  const used = await navigator.credentials.get({ publicKey: options })
  return {
    id: used.id,
    rawId: text(used.rawId),
    type: used.type,
    response: {
      authenticatorData: text(used.response.authenticatorData),
      clientDataJSON: text(used.response.clientDataJSON),
      signature: text(used.response.signature),
      userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
    },
    extensions: {},
  }
}

/** What a new passkey is called until its person says better. */
export function thisDevice() {
  const agent = navigator.userAgent
  const known = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android phone'], ['Windows', 'Windows computer'], ['Mac OS X', 'Mac'], ['CrOS', 'Chromebook'], ['Linux', 'Linux computer']]
  return known.find(([said]) => agent.includes(said))?.[1] ?? 'This device'
}

/** Where to go after signing in: only within this hub. */
export function goOn() {
  const to = new URLSearchParams(location.search).get('to') ?? '/app/'
  const url = new URL(to, location.origin)
  location.assign(url.origin === location.origin ? url.pathname + url.search + url.hash : '/app/')
}
