// An invitation becomes an account. Its code stands behind the # of the address, which the hub never sees in a log.

import { ask, byId, letShow, letUsePasskeys, makePasskey, say, thisDevice, when } from './common.js'

const code = decodeURIComponent(location.hash.slice(1))
const [form, name, id, password] = ['form', 'name', 'id', 'password'].map(byId)
let chosen // whether the person typed an id of its own
let element // the person that the invitation is for, if it is for one

function asId(text) {
  const plain = text.normalize('NFKD').toLowerCase().replaceAll('ß', 'ss').replace(/[^a-z0-9]+/g, ' ').trim()
  return plain.split(' ')[0].slice(0, 32)
}

function showId() {
  // Whoever was invited by name is told something else there.
  const shown = byId('id-shown')
  if (shown) shown.textContent = id.value || '…'
}

async function look() {
  if (!code) throw new Error('There is no code in this address. Open the link as the hub printed it, or as you were given it')
  const invited = await ask('POST', '/api/account/claim/look', { code })
  element = invited.element
  byId('title').textContent = invited.owner ? 'Make this hub yours' : 'Welcome'
  byId('lead').textContent = invited.owner
    ? 'You will be its owner: you may do everything, and let others in.'
    : invited.replaces ? 'Choose how you sign in from now on. What you used before is good no more.' : 'You were invited. Choose how you sign in.'
  if (element) {
    id.value = element.replace('people/', '')
    id.readOnly = true
    byId('id-hint').textContent = 'This is how the hub knows you.'
  }
  byId('sheet').hidden = false
  showId()
  name.focus()
}

/** What the account is to be, beside how it is opened. */
function claim() {
  return { code, name: name.value, ...(element ? {} : { id: id.value }) }
}

name.addEventListener('input', () => {
  if (!element && !chosen) id.value = asId(name.value)
  showId()
})
id.addEventListener('input', () => {
  chosen = id.value !== ''
  showId()
})

when(form, 'submit', async () => {
  await ask('POST', '/api/account/claim', { ...claim(), password: password.value })
  location.replace('/app/')
})
when(byId('passkey'), 'click', async () => {
  // The browser says what is missing where it is missing.
  password.required = false
  const isWhole = form.reportValidity()
  password.required = true
  if (!isWhole) return
  const begun = await ask('POST', '/api/account/claim/passkey', claim())
  const credential = await makePasskey(begun)
  const passkey = { ceremony: begun.ceremony, credential, name: thisDevice() }
  await ask('POST', '/api/account/claim', { ...claim(), passkey })
  location.replace('/app/')
})

letShow()
letUsePasskeys(byId('passkey'))
look().catch((error) => {
  byId('title').textContent = 'This invitation does not open'
  byId('lead').textContent = ''
  say(error.message)
})
