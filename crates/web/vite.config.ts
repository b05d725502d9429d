// Builds the app into `dist`, under names that stay: the files are committed, and the binary embeds them.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'

const HUB = process.env.HUB ?? 'http://localhost:8080'

/** Makes the service worker, which keeps what was built and has the hash of that as its version, and the list of files for the binary. */
function worker(): Plugin {
  return {
    name: 'quartet-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const hash = createHash('sha256')
      const files: string[] = []
      const add = (name: string, bytes: string | Uint8Array) => {
        files.push(name)
        hash.update(name).update(bytes)
      }
      const built = Object.values(bundle).sort((a, b) => (a.fileName < b.fileName ? -1 : 1))
      for (const one of built) add(one.fileName, one.type === 'chunk' ? one.code : one.source)
      for (const name of readdirSync('public').sort()) add(name, readFileSync(`public/${name}`))
      const template = readFileSync('src/worker.js', 'utf8')
      hash.update(template)
      const source = template
        .replace("'{version}'", JSON.stringify(hash.digest('hex').slice(0, 16)))
        .replace("['{files}']", JSON.stringify(files))
      this.emitFile({ type: 'asset', fileName: 'worker.js', source })
      // What the binary embeds (src/lib.rs).
      const rows = [...files, 'worker.js'].sort().map((name) => `    ("${name}", include_bytes!("${name}")),\n`)
      this.emitFile({ type: 'asset', fileName: 'files.rs', source: `&[\n${rows.join('')}]\n` })
    },
  }
}

export default defineConfig({
  base: '/app/',
  plugins: [svelte(), worker()],
  build: {
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
  server: {
    host: 'localhost',
    proxy: Object.fromEntries(
      ['/api', '/things', '/search', '/events', '/sign-in', '/account', '/assets', '/trust', '/start', '/openapi.json'].map((path) => [
        path,
        { target: HUB, ws: path === '/api', changeOrigin: true, headers: { origin: HUB } },
      ]),
    ),
  },
})
