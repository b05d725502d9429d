// Does in a real browser what persons do, step by step: each line of standard input is a step.
//
// Each step leads to one line of JSON, the step with its `value`, or with its `error`. The browser has
// devices of its own for passkeys: virtual ones, which hold them as a phone does.
//
//   {"do": "open", "path": …}                     a page of the hub; its title and heading
//   {"do": "go", "path": …}                       the same, where the page may lead on at once
//   {"do": "refused", "path": …}                  why the browser refuses a page of the hub; null if it does not
//   {"do": "context"}                             whether the page is safe for the browser, and what it allows there
//   {"do": "fill", "field": …, "text": …}         a field by its label
//   {"do": "fill id", "id": …, "text": …}         the same by what it is called in the page
//   {"do": "choose", "field": …, "option": …}   one of a list, by its title
//   {"do": "pick", "field": …, "text": …}         what is found first by a text, in a field that finds
//   {"do": "upload", "field": …, "name": …, "type": …, "text": …}   a file that has this text
//   {"do": "upload", "field": …, "photo": [width, height]}   one that a camera may have made
//   {"do": "await image", "path": …}              until it is shown; how large it is
//   {"do": "await no image", "path": …}           until it is not there any more
//   {"do": "press", "button": …}                  a button by its name
//   {"do": "follow", "link": …}                   a link by its name
//   {"do": "turn", "switch": …}                   a switch by its name
//   {"do": "await switch", "switch": …, "is": …}  until it is on, or off
//   {"do": "point", "chart": …}                  at the end of a chart by its name; what it says of that
//   {"do": "unfold", "summary": …}                what is folded up
//   {"do": "await", "text": …}                    until the page shows it
//   {"do": "gone", "text": …}                     until it shows it no more
//   {"do": "await path", "path": …}               until the browser is there
//   {"do": "read", "id": …}                       the text of an element
//   {"do": "copy", "what": …}                     a text that the app gives to be taken elsewhere, by what stands above it
//   {"do": "code", "secret": …}                   the one-time code of a secret, and of later steps (`steps`)
//   {"do": "device", "is": "new" | "same"}        a virtual authenticator for passkeys; what it holds
//   {"do": "forget"}                              all cookies
//   {"do": "beside", "button": …, "fields": {…}, "press": …}   in the window that a button opens; until that closes
//   {"do": "record"}                               all that comes over the wire, from now on
//   {"do": "recorded", "any": […]}                 how much came, and what of it has one of these texts
//   {"do": "await quiet"}                          until nothing is asked for any more
//   {"do": "await sent"}                           until nothing waits for the hub
//   {"do": "await kept"}                           until a service worker answers for the page
//   {"do": "reload"}                               the page again
//   {"do": "tab to", "name": …}                    with the key Tab, until it is there
//   {"do": "type", "text": …}, {"do": "key", "key": …}   on the keyboard
//   {"do": "hub comes and goes"}                   what its absence leads to is no fault of the page
//   {"do": "network", "is": …}                    whether there is one
//   {"do": "accessible", "axe": …, "width": …, "dark": …}   what axe-core, the file, says against the page at this width, and whether it is wider
//   {"do": "ask", "method": …, "path": …}         a request of the page; its status
//   {"do": "picture", "file": …, "width": …, "height": …, "dark": …, "window": …}  the page, or what is in the window
//
// Environment: HUB, the URL of the hub; CHROMIUM, the browser; ARGUMENTS, a list in JSON of what else it is told.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(import.meta.url) // finds what NODE_PATH has
const { chromium } = require('playwright-core')

const { HUB, CHROMIUM, ARGUMENTS } = process.env
const PATIENCE_MS = 20_000

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', ...JSON.parse(ARGUMENTS ?? '[]')] })
// Nothing moves: colours on their way are neither the old ones nor the new.
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
context.setDefaultTimeout(PATIENCE_MS)
const page = await context.newPage()
const faults = []
/** What came over the wire since that is asked for. */
const recorded = []
page.on('pageerror', (error) => faults.push(String(error)))
/** Whether the hub may be away now and then. */
let comesAndGoes = false
const isExpected = (text) => /status of 4\d\d|ERR_INTERNET_DISCONNECTED/.test(text) || (comesAndGoes && /net::ERR_|status of 50\d|WebSocket/.test(text))
page.on('console', (line) => line.type() === 'error' && !isExpected(line.text()) && faults.push(line.text()))
const devtools = await context.newCDPSession(page)
await devtools.send('WebAuthn.enable')
let device

function base32(text) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...text.replaceAll(' ', '')].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)))
}

/** RFC 6238. */
function oneTimeCode(secret, later) {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later))
  const mac = createHmac('sha1', base32(secret)).update(counter).digest()
  const at = mac[19] & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** By how many pixels something is wider than the window. */
const tooWide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

const steps = {
  start: async () => browser.version(),
  open: async ({ path }) => {
    await page.goto(new URL(path, HUB).href)
    return { title: await page.title(), heading: await page.locator('h1').innerText() }
  },
  go: async ({ path }) => void (await page.goto(new URL(path, HUB).href)),
  refused: async ({ path }) => {
    const [refused] = await Promise.allSettled([page.goto(new URL(path, HUB).href)])
    return refused.status === 'fulfilled' ? null : /net::(\w+)/.exec(refused.reason)[1]
  },
  context: async () => page.evaluate(async () => {
    // Any script of the hub will do as one that works without a network.
    const works = navigator.serviceWorker?.register('/assets/common.js', { type: 'module', scope: '/assets/' })
    return {
      isSecure: window.isSecureContext,
      worker: works ? await works.then(() => 'registered', String) : 'none',
      camera: Boolean(navigator.mediaDevices),
      passkeys: Boolean(window.PublicKeyCredential),
    }
  }),
  fill: async ({ field, text }) => page.getByLabel(field, { exact: true }).fill(text),
  'fill id': async ({ id, text }) => page.locator(`#${id}`).fill(text),
  choose: async ({ field, option }) => void (await page.getByLabel(field, { exact: true }).selectOption({ label: option })),
  pick: async ({ field, text }) => {
    await page.getByLabel(field, { exact: true }).fill(text)
    await page.locator('[role=option]:visible').first().waitFor()
    await page.keyboard.press('Enter')
  },
  upload: async ({ field, name = 'photo.jpg', type = 'image/jpeg', text, photo }) => {
    const made = photo && (await page.evaluate(async ([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const draw = canvas.getContext('2d')
      for (let at = 0; at < 400; at++) {
        draw.fillStyle = `hsl(${at * 7} 60% ${30 + (at % 40)}%)`
        draw.fillRect((at * 997) % width, (at * 613) % height, width / 7, height / 9)
      }
      return canvas.toDataURL('image/jpeg', 0.95).split(',')[1]
    }, photo))
    const buffer = made ? Buffer.from(made, 'base64') : Buffer.from(text)
    await page.getByLabel(field, { exact: true }).setInputFiles({ name, mimeType: type, buffer })
  },
  'await image': async ({ path }) => {
    const size = await page.waitForFunction((path) => {
      const shown = [...document.images].find(({ src, complete, naturalWidth }) => src.includes(path) && complete && naturalWidth > 0)
      return shown && [shown.naturalWidth, shown.naturalHeight]
    }, path)
    return size.jsonValue()
  },
  'await no image': async ({ path }) => void (await page.waitForFunction((path) => ![...document.images].some(({ src }) => src.includes(path)), path)),
  press: async ({ button }) => page.getByRole('button', { name: button, exact: true }).click(),
  follow: async ({ link }) => page.getByRole('link', { name: link, exact: true }).click(),
  turn: async ({ switch: name }) => page.getByRole('switch', { name, exact: true }).click(),
  'await switch': async ({ switch: name, is }) => page.getByRole('switch', { name, exact: true, checked: is }).waitFor(),
  point: async ({ chart }) => {
    const drawn = page.getByRole('img', { name: chart })
    await drawn.locator('canvas').waitFor()
    const { width } = await drawn.boundingBox()
    await drawn.hover({ position: { x: width - 16, y: 60 } })
    return drawn.locator('p').innerText()
  },
  unfold: async ({ summary }) => page.locator('summary', { hasText: summary }).click(),
  await: async ({ text }) => page.getByText(text).first().waitFor({ state: 'visible' }),
  gone: async ({ text }) => page.getByText(text).first().waitFor({ state: 'hidden' }),
  'await sent': async () => page.waitForFunction(async () => {
    const opened = indexedDB.open('quartet-app')
    const done = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: reject }))
    const all = await done(opened)
    const count = await done(all.transaction('outbox').objectStore('outbox').count())
    all.close()
    return count === 0
  }),
  'await path': async ({ path }) => page.waitForURL((url) => url.pathname === path),
  read: async ({ id }) => page.locator(`#${id}`).innerText(),
  copy: async ({ what }) => page.locator('.copy', { has: page.getByText(what, { exact: true }) }).locator('code').innerText(),
  code: async ({ secret, steps: later }) => oneTimeCode(secret, later ?? 0),
  device: async ({ is }) => {
    if (is === 'new') {
      if (device) await devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: device })
      const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true }
      device = (await devtools.send('WebAuthn.addVirtualAuthenticator', { options })).authenticatorId
    }
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId: device })
    return credentials.map((one) => ({ host: one.rpId, isResident: one.isResidentCredential, user: one.userName }))
  },
  forget: async () => context.clearCookies(),
  beside: async ({ button, fields, press }) => {
    const [beside] = await Promise.all([page.waitForEvent('popup'), steps.press({ button })])
    for (const [field, text] of Object.entries(fields)) await beside.getByLabel(field, { exact: true }).fill(text)
    await Promise.all([beside.waitForEvent('close'), beside.getByRole('button', { name: press, exact: true }).click()])
    await page.bringToFront()
  },
  'await kept': async () => {
    await page.evaluate(async () => void (await navigator.serviceWorker.ready))
    await page.reload()
    await page.waitForFunction(() => navigator.serviceWorker.controller)
  },
  reload: async () => void (await page.reload()),
  'tab to': async ({ name }) => {
    for (let tabs = 0; tabs < 100; tabs++) {
      await page.keyboard.press('Tab')
      const at = await page.evaluate(() => {
        const { activeElement: here } = document
        return (here?.getAttribute('aria-label') ?? here?.labels?.[0]?.innerText ?? here?.innerText ?? '').trim()
      })
      if (at.split('\n')[0] === name) return
    }
    throw new Error(`the key Tab does not lead to ${name}`)
  },
  type: async ({ text }) => page.keyboard.type(text),
  key: async ({ key }) => page.keyboard.press(key),
  'hub comes and goes': async () => void (comesAndGoes = true),
  network: async ({ is }) => {
    await context.setOffline(!is)
  },
  accessible: async ({ axe, width, dark }) => {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
    await page.setViewportSize({ width, height: 900 })
    await page.evaluate(readFileSync(axe, 'utf8'))
    const { violations } = await page.evaluate(() => globalThis.axe.run())
    const excess = await tooWide()
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`)
    return excess > 0 ? [...found, `${excess} pixels too wide`] : found
  },
  ask: async ({ method, path, body }) =>
    page.evaluate(async ([method, path, body]) => (await fetch(path, { method, body: body && JSON.stringify(body) })).status, [method, path, body]),
  record: async () => {
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => recorded.push(String(payload))))
    page.on('response', async (answer) => {
      if (['fetch', 'xhr', 'eventsource'].includes(answer.request().resourceType())) recorded.push(await answer.text().catch(() => ''))
    })
  },
  recorded: async ({ any }) => ({ count: recorded.length, found: recorded.filter((one) => any.some((text) => one.includes(text))).map((one) => one.slice(0, 300)) }),
  'await quiet': async () => page.waitForLoadState('networkidle'),
  picture: async ({ file, width, height, dark, window: isWindow }) => {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
    await page.setViewportSize({ width, height })
    const overflow = await tooWide()
    // What draws itself does so after it has heard of the new size.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    await page.screenshot({ path: file, fullPage: !isWindow, animations: 'disabled', caret: 'hide' })
    await page.setViewportSize({ width: 1280, height: 900 })
    return overflow
  },
}

async function run(step) {
  try {
    const value = await steps[step.do](step)
    if (faults.length) throw new Error(`the page failed: ${faults.join('; ')}`)
    console.log(JSON.stringify({ do: step.do, value: value ?? null }))
  } catch (error) {
    const shown = await page.locator('#say, body').last().innerText({ timeout: 100 }).catch(() => '')
    console.log(JSON.stringify({ do: step.do, step, error: String(error), at: page.url(), shown }))
  }
}

await run({ do: 'start' })
for await (const line of createInterface({ input: process.stdin })) await run(JSON.parse(line))
await browser.close()
