// Says what a first visit loads, and fails past the budget: what index.html names, and what these import at once.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { gzipSync } from 'node:zlib'

const BUDGET_BYTES_MAX = 150_000
const read = (name) => readFileSync(`dist/${name}`)
const packed = (name) => gzipSync(read(name), { level: 9 }).length

const first = new Set(['index.html'])
const page = String(read('index.html'))
for (const [, name] of page.matchAll(/(?:src|href)="\/app\/([^"]+\.(?:js|css))"/g)) first.add(name)
for (const name of first) {
  if (!name.endsWith('.js')) continue
  // `import … from "./x.js"` is loaded at once; `import("./x.js")` is not.
  for (const [, path] of String(read(name)).matchAll(/(?:from|import)\s*"(\.[^"]+\.js)"/g)) {
    first.add(posix.join(posix.dirname(name), path))
  }
}
const all = readdirSync('dist', { recursive: true }).filter((name) => statSync(`dist/${name}`).isFile() && name !== 'files.rs')
const sum = (names) => [...names].reduce((sum, name) => sum + packed(name), 0)
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
for (const name of all.sort()) console.log(`${first.has(name) ? 'first' : 'later'}  ${kb(packed(name)).padStart(9)}  ${name}`)
console.log(`first load: ${kb(sum(first))} gzip of at most ${kb(BUDGET_BYTES_MAX)}; all files: ${kb(sum(all))}`)
if (sum(first) > BUDGET_BYTES_MAX) {
  console.error('the first load is past its budget; load what is heavy when it is needed')
  process.exit(1)
}
