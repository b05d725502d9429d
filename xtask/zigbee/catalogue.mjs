// Writes the catalogue of Zigbee devices: catalogue.mjs FILE, with NODE_PATH where the packages are.
//
// A line per model, `{vendor, model, description, exposes, ota, whiteLabel?}`, in order of vendor
// and model. Kept is what says how a device behaves; left out is what follows from it (labels) and
// what is meant for one program only. The same package makes the same text; the file is written only
// if the text differs, since other versions of zlib pack the same text differently.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'

const require = createRequire(import.meta.url)
const PACKAGE = 'zigbee-herdsman-converters'
const { prepareDefinition } = require(PACKAGE)

// Members of an exposed value that are kept, in the order in which they are written.
const KEPT = [
  'type', 'name', 'property', 'endpoint', 'access', 'category', 'description', 'unit',
  'value_min', 'value_max', 'value_step', 'value_on', 'value_off', 'value_toggle', 'values', 'presets',
  'length_min', 'length_max', 'item_type', 'features',
]
// Members that are left out. Whatever else appears in a newer version needs a decision here.
const DROPPED = ['label', 'homeassistant']

function exposed(value) {
  const unknown = Object.keys(value).filter((key) => !KEPT.includes(key) && !DROPPED.includes(key))
  if (unknown.length > 0) throw new Error(`new members of an exposed value: ${unknown}`)
  const kept = {}
  for (const key of KEPT) {
    if (value[key] === undefined) continue
    kept[key] = value[key]
    if (key === 'features') kept[key] = value[key].map(exposed)
    if (key === 'item_type') kept[key] = exposed(value[key])
  }
  return kept
}

// The same device under other names. Entries without a vendor have that of the original.
function whiteLabel(definition) {
  const labels = (definition.whiteLabel ?? []).map((label) => ({
    vendor: label.vendor ?? definition.vendor,
    model: label.model,
    description: label.description,
  }))
  return labels.length > 0 ? labels : undefined
}

function line(source) {
  const definition = prepareDefinition(source)
  // Some devices show what they expose only when they are there; this one stands for all of them.
  const exposes =
    typeof definition.exposes === 'function'
      ? definition.exposes({ isDummyDevice: true }, {})
      : definition.exposes
  const { vendor, model, description } = definition
  const plain = JSON.parse(JSON.stringify(exposes)) // without methods
  return {
    key: [vendor, model],
    text: JSON.stringify({
      vendor,
      model,
      description,
      exposes: plain.map(exposed),
      ota: Boolean(definition.ota),
      whiteLabel: whiteLabel(definition),
    }),
  }
}

// By code points, not by the language of whoever runs this.
function compare(a, b) {
  const [left, right] = [a, b].map((line) => Buffer.from([...line.key, line.text].join('\0')))
  return Buffer.compare(left, right)
}

function definitions() {
  const folder = path.join(path.dirname(require.resolve(PACKAGE)), 'devices')
  const files = readdirSync(folder).filter((file) => file.endsWith('.js') && file !== 'index.js')
  return files.flatMap((file) => require(path.join(folder, file)).definitions)
}

const [file] = process.argv.slice(2)
const lines = definitions().map(line).sort(compare)
const text = lines.map((line) => `${line.text}\n`).join('')
const vendors = new Set(lines.map((line) => line.key[0]))
const isNew = !existsSync(file) || gunzipSync(readFileSync(file)).toString() !== text
if (isNew) writeFileSync(file, gzipSync(text, { level: 9 }))
console.log(
  `${lines.length} models of ${vendors.size} vendors, ${Buffer.byteLength(text)} bytes of text: ` +
    (isNew ? 'written' : 'as it was'),
)
process.exit() // some converters leave timers behind
