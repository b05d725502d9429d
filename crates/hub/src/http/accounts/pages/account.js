// A person's account: what is set, and how it is changed.

import { ask, byId, letShow, letUsePasskeys, makePasskey, say, thisDevice, when } from './common.js'

let account

const done = (text) => say(text, 'good', byId('done'))
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const days = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })
const at = (time) => dates.format(new Date(time))
const day = (time) => days.format(new Date(time))

/** What proves once more who it is: six digits or a recovery code are a code, all else is a password. */
function proof(text) {
  const plain = text.replaceAll(' ', '')
  const isCode = /^\d{6}$/.test(plain) || /^[0-9a-z]{4}(-[0-9a-z]{4}){3}$/i.test(plain)
  return isCode ? { code: plain } : { password: text }
}

function item(title, detail, button) {
  const line = document.createElement('li')
  const words = document.createElement('div')
  const strong = document.createElement('strong')
  const small = document.createElement('small')
  strong.textContent = title
  small.textContent = detail
  words.append(strong, small)
  line.append(words)
  if (button) line.append(button)
  return line
}

/** A button that takes something away. */
function away(label, title, path, said) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'away'
  button.textContent = label
  button.setAttribute('aria-label', `${label}: ${title}`)
  when(button, 'click', async () => {
    await ask('DELETE', path)
    await load()
    done(said)
  })
  return button
}

function state(id, isOn, text) {
  byId(id).textContent = text
  byId(id).classList.toggle('on', isOn)
}

async function load() {
  account = await ask('GET', '/api/account')
  const { factors } = account
  byId('name').textContent = account.name
  byId('element').textContent = account.element
  byId('password-user').value = account.element
  document.title = `${account.name} – Quartet`

  const { passkeys, sessions, tokens } = account
  state('state-passkeys', passkeys.length > 0, passkeys.length ? String(passkeys.length) : 'none')
  byId('passkeys').replaceChildren(...passkeys.map((one) =>
    item(one.name, `added ${day(one.addedAt)}`, away('Remove', one.name, `/api/account/passkeys/${one.id}`, 'The passkey is removed.'))))

  state('state-password', factors.password, factors.password ? 'set' : 'none')
  byId('password-summary').textContent = factors.password ? 'Change the password' : 'Set a password'
  byId('current-field').hidden = !factors.password
  byId('current').required = factors.password

  state('state-codes', factors.code, factors.code ? 'on' : 'off')
  byId('codes-off').hidden = factors.code || !factors.password
  byId('codes-need').hidden = factors.password
  byId('codes-on').hidden = !factors.code
  state('state-recovery', factors.recoveryCodes > 0, factors.recoveryCodes ? `${factors.recoveryCodes} left` : 'none')
  byId('recovery-details').hidden = !factors.password

  const { providers: known } = await ask('GET', '/api/session/providers')
  const isThere = (one) => account.providers.includes(one.issuer)
  byId('providers').replaceChildren(...known.filter(isThere).map((one) => item(one.title, 'signs you in')))
  byId('add-providers').replaceChildren(...known.filter((one) => !isThere(one)).map((one) => {
    const link = document.createElement('a')
    link.className = 'button'
    link.href = `${one.href}?link=true`
    link.textContent = `Add ${one.title}`
    return link
  }))
  byId('providers-section').hidden = known.length === 0

  sessions.sort((a, b) => Number(b.isThis) - Number(a.isThis) || b.issuedAt.localeCompare(a.issuedAt))
  byId('sessions').replaceChildren(...sessions.map((one) => {
    const since = `since ${at(one.issuedAt)}, by ${one.signedInBy}`
    const end = one.isThis ? null : away('End', one.device, `/api/account/sessions/${one.id}`, 'The session is over.')
    return item(one.isThis ? `${one.device} (this one)` : one.device, since, end)
  }))
  byId('end-others').hidden = sessions.length < 2
  byId('tokens').replaceChildren(...tokens.map((one) => {
    const until = one.expiresAt ? `good until ${day(one.expiresAt)}` : 'good until it is taken back'
    const { may, in: within } = one.scope ?? {}
    const scope = [may && `may ${may.join(', ')}`, within && `in ${within.join(', ')}`].filter(Boolean).join(' ')
    return item(one.name ?? one.id, scope ? `${until}; ${scope} only` : until, away('Take back', one.name ?? one.id, `/api/account/tokens/${one.id}`, 'The token is good no more.'))
  }))
  byId('all').hidden = false
}

when(byId('sign-out'), 'click', async () => {
  await ask('DELETE', '/api/session')
  location.assign('/sign-in')
})
when(byId('add-passkey'), 'click', async () => {
  const begun = await ask('POST', '/api/account/passkeys/begin')
  const credential = await makePasskey(begun)
  await ask('POST', '/api/account/passkeys', { ceremony: begun.ceremony, credential, name: thisDevice() })
  await load()
  done('The passkey signs you in from now on.')
})
when(byId('password-form'), 'submit', async () => {
  const change = { new: byId('new').value }
  if (account.factors.password) change.current = byId('current').value
  await ask('PUT', '/api/account/password', change)
  byId('password-form').reset()
  byId('password-details').open = false
  await load()
  done('The new password holds. All other sessions are over.')
})
when(byId('begin-codes'), 'click', async () => {
  const begun = await ask('POST', '/api/account/totp')
  byId('qr').src = `data:image/svg+xml;base64,${btoa(begun.qr)}`
  byId('secret').textContent = begun.secret.match(/.{1,4}/g).join(' ')
  byId('secret').dataset.secret = begun.secret
  byId('codes-panel').hidden = false
  byId('codes-off').hidden = true
  byId('first-code').focus()
})
when(byId('codes-form'), 'submit', async () => {
  await ask('PUT', '/api/account/totp', { secret: byId('secret').dataset.secret, code: byId('first-code').value })
  byId('codes-panel').hidden = true
  byId('codes-form').reset()
  await load()
  done('From now on a code is asked for. Make recovery codes, too.')
})
when(byId('codes-off-form'), 'submit', async () => {
  await ask('DELETE', '/api/account/totp', proof(byId('off-proof').value))
  byId('codes-off-form').reset()
  await load()
  done('No code is asked for any more.')
})
when(byId('recovery-form'), 'submit', async () => {
  const { codes } = await ask('POST', '/api/account/recovery', proof(byId('recovery-proof').value))
  byId('recovery').replaceChildren(...codes.map((code) => {
    const line = document.createElement('li')
    line.textContent = code
    return line
  }))
  byId('recovery').hidden = byId('recovery-acts').hidden = false
  byId('recovery-form').reset()
  byId('recovery-details').open = false
  await load()
  done('Keep the codes now: they are not shown again.')
})
const allCodes = () => [...byId('recovery').children].map((line) => line.textContent).join('\n')
when(byId('copy-recovery'), 'click', async () => {
  await navigator.clipboard.writeText(allCodes())
  done('The codes are copied.')
})
when(byId('print-recovery'), 'click', async () => window.print())
when(byId('end-others'), 'click', async () => {
  await ask('DELETE', '/api/account/sessions')
  await load()
  done('All other sessions are over.')
})
when(byId('token-form'), 'submit', async () => {
  const s = Number(byId('token-days').value) * 24 * 3600
  const [may, within] = [byId('token-may').value, byId('token-in').value.trim()]
  const scope = may || within ? { ...(may && { may: may.split(' ') }), ...(within && { in: [within] }) } : undefined
  const made = await ask('POST', '/api/account/tokens', { name: byId('token-name').value, expiry_s: s, scope })
  byId('token').textContent = made.token
  byId('token-panel').hidden = false
  byId('token-form').reset()
  await load()
  done('The token is made.')
})
when(byId('copy-token'), 'click', async () => {
  await navigator.clipboard.writeText(byId('token').textContent)
  done('The token is copied.')
})

letShow()
letUsePasskeys(byId('add-passkey'))
load().catch((error) => {
  if (error.status === 401) location.replace('/sign-in?to=/account')
  else say(error.message)
})
