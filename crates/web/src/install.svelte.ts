// The app opens without a network, and can be installed: the service worker, and what the browser offers.

class Install {
  /** A newer app is there; it takes over when the person says so. */
  next = $state.raw<ServiceWorker | undefined>()
  /** The browser offers to install the app. */
  offer = $state.raw<(Event & { prompt(): Promise<unknown> }) | undefined>()

  update(): void {
    this.next?.postMessage('take over')
  }
}

export const install = new Install()

export function keepShell(): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault()
    install.offer = event as typeof install.offer
  })
  addEventListener('appinstalled', () => (install.offer = undefined))
  if (!import.meta.env.PROD || !navigator.serviceWorker) return
  const had = navigator.serviceWorker.controller
  navigator.serviceWorker.addEventListener('controllerchange', () => had && location.reload())
  void navigator.serviceWorker.register('/app/worker.js', { scope: '/app/' }).then(follow, () => undefined)
}

/** Finds out when a newer app is there. Browsers that are told to have no workers give no registration. */
function follow(registration: ServiceWorkerRegistration | undefined): void {
  const look = (worker: ServiceWorker | null) => {
    const note = () => {
      if (worker?.state === 'installed' && navigator.serviceWorker.controller) install.next = worker
    }
    note()
    worker?.addEventListener('statechange', note)
  }
  look(registration?.waiting ?? null)
  registration?.addEventListener('updatefound', () => look(registration.installing))
}
