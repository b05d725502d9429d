// What is on the screen, or close to it: only that is asked for and kept current.

import type { Action } from 'svelte/action'

const seen = new WeakMap<Element, (isSeen: boolean) => void>()
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) seen.get(target)?.(isIntersecting)
  },
  { rootMargin: '200px' },
)

/** Calls with whether the element is on the screen, whenever that changes. */
export const whenSeen: Action<HTMLElement, (isSeen: boolean) => void> = (node, listener) => {
  seen.set(node, listener)
  observer.observe(node)
  return {
    destroy() {
      observer.unobserve(node)
      seen.get(node)?.(false)
      seen.delete(node)
    },
  }
}
