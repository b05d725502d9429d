// A real identity provider on this machine, which can be told to lie: each line of standard input is a
// step, and leads to one line of JSON.
//
//   {"do": "sign in", "sub": …, "name": …, "username": …, "groups": […]}   who comes is this one, without being asked
//   {"do": "lie", "about": …}     "issuer", "nonce", "signature", "expiry", "audience"; "" is the truth again
//
// Its first line says where it is: {"do": "start", "value": URL}.

import { createSign, generateKeyPair } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const require = createRequire(import.meta.url) // finds what NODE_PATH has
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href)

const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }

let who = { sub: '1' }
let lie = ''

const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [{ client_id: 'hub', client_secret: 's3cret', redirect_uris: ['http://localhost/'] }],
  jwks: { keys: [key] },
  cookies: { keys: ['test'] },
  scopes: ['openid', 'profile', 'groups'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: who.name, preferred_username: who.username, groups: who.groups }),
  }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: 'hub', accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid profile groups')
    await grant.save()
    return grant
  },
})
// The hub's port is known later than the provider's.
provider.Client.prototype.redirectUriAllowed = () => true

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The same token, with what is not true. */
function bent(token) {
  const [head, body, signature] = token.split('.')
  if (lie === 'signature') return `${head}.${body}.${Buffer.alloc(256, 7).toString('base64url')}`
  const claims = JSON.parse(Buffer.from(body, 'base64url'))
  if (lie === 'issuer') claims.iss = 'https://evil.example'
  if (lie === 'nonce') claims.nonce = 'another'
  if (lie === 'audience') claims.aud = 'another'
  if (lie === 'expiry') claims.exp = claims.iat - 3600
  const text = `${head}.${part(claims)}`
  return signature && `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
}

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/interaction/')) {
    ctx.respond = false
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: who.sub, remember: false } })
    return
  }
  await next()
  if (ctx.path === '/token' && lie && ctx.body?.id_token) ctx.body = { ...ctx.body, id_token: bent(ctx.body.id_token) }
})
server.on('request', provider.callback())

const say = (line) => console.log(JSON.stringify(line))
say({ do: 'start', value: issuer })
for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line)
  if (step.do === 'sign in') who = step
  if (step.do === 'lie') lie = step.about
  say({ do: step.do, value: null })
}
process.exit(0)
