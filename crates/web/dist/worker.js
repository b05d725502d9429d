// The service worker: the app opens without a network. It keeps what was built, whole and of one version, and
// nothing of the hub's data; a new version waits until the page says that it may take over.

const VERSION = "9e7feface89bd93a"
const FILES = ["assets/Flow.css","assets/Flow.js","assets/Steps.css","assets/Steps.js","assets/Write.css","assets/Write.js","assets/index.css","assets/index.js","assets/uPlot.css","assets/uPlot.esm.js","index.html","icon-192.png","icon-512.png","icon.svg","manifest.webmanifest","theme.js"]
const CACHE = `quartet-app-${VERSION}`
const SHELL = '/app/index.html'

self.addEventListener('install', (event) => {
  const requests = FILES.map((file) => new Request(`/app/${file}`, { cache: 'reload' }))
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)))
})

self.addEventListener('activate', (event) => {
  const old = (name) => name.startsWith('quartet-app-') && name !== CACHE
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('message', ({ data }) => data === 'take over' && self.skipWaiting())

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin || !pathname.startsWith('/app')) return
  const wanted = request.mode === 'navigate' ? SHELL : pathname
  event.respondWith(
    caches.open(CACHE).then(async (cache) => (await cache.match(wanted)) ?? fetch(request)),
  )
})
