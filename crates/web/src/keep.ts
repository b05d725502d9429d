// What this browser keeps: the last answers of the hub and what is still to be sent, in IndexedDB.
// Where there is none (private windows, old browsers), nothing is kept and the app goes on.

const NAME = 'quartet-app'
const STORES = ['answers', 'outbox'] as const
export type Store = (typeof STORES)[number]

let opened: Promise<IDBDatabase> | undefined
function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store))
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('there is no IndexedDB'))
  })
  return opened
}

async function run<Answer>(store: Store, mode: IDBTransactionMode, ask: (all: IDBObjectStore) => IDBRequest<Answer>): Promise<Answer> {
  const all = (await open()).transaction(store, mode)
  const request = ask(all.objectStore(store))
  return new Promise((resolve, reject) => {
    all.oncomplete = () => resolve(request.result)
    all.onerror = all.onabort = () => reject(all.error ?? new Error('it was not kept'))
  })
}

export const keep = {
  get: <Value>(store: Store, key: string) => run<Value | undefined>(store, 'readonly', (all) => all.get(key)),
  all: <Value>(store: Store) => run<Value[]>(store, 'readonly', (all) => all.getAll()),
  put: (store: Store, key: string, value: unknown) => run(store, 'readwrite', (all) => all.put(value, key)),
  remove: (store: Store, key: string) => run(store, 'readwrite', (all) => all.delete(key)),
  clear: (store: Store) => run(store, 'readwrite', (all) => all.clear()),
}
