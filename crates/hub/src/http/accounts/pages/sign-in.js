// Signing in: with a password and perhaps a code, with a passkey, or at a provider.

import { ask, byId, goOn, letShow, letUsePasskeys, say, usePasskey, when } from './common.js'

const [form, user, password, code] = ['form', 'user', 'password', 'code'].map(byId)

when(form, 'submit', async () => {
  const shown = { user: user.value, password: password.value }
  if (!byId('code-field').hidden) shown.code = code.value
  try {
    await ask('POST', '/api/session', shown)
  } catch (error) {
    if (error.needs !== 'code') throw error
    const isFirst = byId('code-field').hidden
    byId('code-field').hidden = false
    code.required = true
    code.value = ''
    queueMicrotask(() => code.focus())
    if (!isFirst) throw error
    return
  }
  goOn()
})
when(byId('passkey'), 'click', async () => {
  const begun = await ask('POST', '/api/session/passkey/begin')
  const credential = await usePasskey(begun)
  await ask('POST', '/api/session/passkey', { ceremony: begun.ceremony, credential })
  goOn()
})

letShow()
letUsePasskeys(byId('passkey'))
// A button for each provider; without one there is nothing to show.
ask('GET', '/api/session/providers').then(({ providers }) => {
  byId('providers').replaceChildren(...providers.map(({ title, href }) => {
    const link = document.createElement('a')
    link.className = 'button full'
    link.href = href
    link.textContent = `Continue with ${title}`
    return link
  }))
}).catch((error) => say(error.message))
const refused = new URLSearchParams(location.hash.slice(1)).get('refused')
if (refused) say(refused)
