// The service worker: the app opens without a network. It keeps what was built, whole and of one version, and
// nothing of the hub's data; a new version waits until the page says that it may take over.

const VERSION = "cd82819cbcf1f56e"
const FILES = ["assets/Admit.css","assets/Admit.js","assets/Ago.css","assets/Ago.js","assets/Arrival.css","assets/Arrival.js","assets/Audit.css","assets/Audit.js","assets/Code.css","assets/Code.js","assets/Connect.js","assets/Copy.css","assets/Copy.js","assets/Credentials.css","assets/Credentials.js","assets/Describe.css","assets/Describe.js","assets/Dialect.css","assets/Dialect.js","assets/FloorPlan.css","assets/FloorPlan.js","assets/Flow.css","assets/Flow.js","assets/Grant.css","assets/Grant.js","assets/Heard.css","assets/Heard.js","assets/Icon.css","assets/Icon.js","assets/Invite.css","assets/Invite.js","assets/Journey.css","assets/Journey2.js","assets/JourneyRow.css","assets/JourneyRow.js","assets/Journeys.css","assets/Journeys.js","assets/LastJourneys.js","assets/Manages.css","assets/Manages.js","assets/NewGroup.css","assets/NewGroup.js","assets/NewThing.css","assets/NewThing.js","assets/Phone.css","assets/Phone.js","assets/Pick.css","assets/Pick.js","assets/Place.js","assets/PlanSheet.css","assets/PlanSheet.js","assets/Proof.css","assets/Proof.js","assets/Role.css","assets/Role.js","assets/RolePick.css","assets/RolePick.js","assets/Security.css","assets/Security.js","assets/Show.css","assets/Show.js","assets/Steps.css","assets/Steps.js","assets/Team.js","assets/Write.css","assets/Write.js","assets/catalogue.svelte.js","assets/index.css","assets/index.js","assets/journey.js","assets/legacy.js","assets/live.svelte.js","assets/me.svelte.js","assets/new.js","assets/outbox.svelte.js","assets/uPlot.css","assets/uPlot.esm.js","index.html","icon-192.png","icon-512.png","icon.svg","manifest.webmanifest","theme.js"]
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
