// What needs whoever looks, from wherever it comes, in one shape: a source gives needs, the page shows them alike.
// Alarms and questions to a person will be further sources.

import { api, Refused, type Flow, type RefusedMessage } from './api'
import { catalogue } from './catalogue.svelte'
import { person } from './me.svelte'
import { outbox } from './outbox.svelte'
import { flowHref, hrefOf } from './router.svelte'
import { idOf, keyOf, kindOf, type Key } from './td'
import { say, sentence, wordsOf } from './words'
import { iconOf, type IconName } from './parts/Icon.svelte'

/** More than so many elements that are not there are told as one. */
const GONE_MAX = 5

export interface Need {
  id: string
  tone: 'bad' | 'warn' | 'accent'
  icon: IconName
  title: string
  why: string
  at?: number
  href?: string
  acts?: { title: string; act: () => void | Promise<void> }[]
}

class Needs {
  #flows = $state.raw<Flow[]>([])
  #refused = $state.raw<RefusedMessage[]>([])
  isKnown = $state(false)

  /** Asks what no stream tells. What somebody may not see is not asked of them. */
  async look(): Promise<void> {
    const denied = (error: unknown) => {
      if (error instanceof Refused && error.status === 403) return undefined
      throw error
    }
    // A refusal would stand in the audit record: what was refused is for those who look after the hub.
    const lacks = await person.lacksHub()
    try {
      const [flows, refused] = await Promise.all([api.flows().catch(denied), lacks ? undefined : api.refused().catch(denied)])
      this.#flows = flows?.flows ?? []
      this.#refused = refused?.refused ?? []
    } catch {
      // The state of the connection says it.
    }
    this.isKnown = true
  }

  get all(): Need[] {
    return [...mine(), ...broken(this.#flows), ...gone(), ...notUnderstood(this.#refused)]
  }
}

export const needs = new Needs()

/** What a person wanted that did not come about. */
function mine(): Need[] {
  return outbox.mine.map((one) => {
    const what = `${catalogue.titleOf(one.key)}: ${one.do === 'write' ? `set ${wordsOf(one.name)} to ${say(one.value, { title: one.name })}` : wordsOf(one.name)}`
    const again = { title: 'Send again', act: () => outbox.again(one) }
    const forget = { title: one.state === 'waiting' ? 'Not any more' : 'Forget it', act: () => outbox.forget(one) }
    const base = { id: `outbox ${one.id}`, at: one.at, href: hrefOf(one.key), title: what }
    if (one.state === 'refused') return { ...base, tone: 'bad', icon: 'alert', why: sentence(one.why ?? 'it was refused'), acts: [again, forget] }
    if (one.state === 'unknown') return { ...base, tone: 'warn', icon: 'alert', why: 'The connection broke while it was sent, long ago: look whether it was done before you send it again.', acts: [again, forget] }
    return { ...base, tone: 'accent', icon: 'wait', why: 'Waits on this device, and is sent once when the hub answers.', acts: [forget] }
  })
}

/** Flows that do not do what they are there for. */
function broken(flows: Flow[]): Need[] {
  return flows
    .filter(({ state, counts }) => state === 'suspended' || counts.failed > 0)
    .map((flow) => ({
      id: `flow ${flow.name}`,
      tone: flow.state === 'suspended' ? 'bad' : 'warn',
      icon: 'flows',
      title: flow.title ?? flow.name,
      why: flow.state === 'suspended' ? sentence(`stopped: ${flow.because ?? 'it started too often'}`) : `${flow.counts.failed} of its ${flow.counts.runs} runs failed.`,
      href: flowHref(flow.name),
    }))
}

/** Elements that were there and are not. */
function gone(): Need[] {
  const all = catalogue.elements.filter(({ connectivity }) => connectivity?.state === 'lost' || connectivity?.state === 'silent')
  if (all.length > GONE_MAX) {
    // When a gateway goes, all behind it go: that is one thing to look after.
    const names = all.slice(0, 3).map(({ address, title }) => title || idOf(address))
    const why = `${names.join(', ')} and ${all.length - names.length} more have lost their connection, or say nothing for longer than usual.`
    return [{ id: 'gone', tone: 'bad', icon: 'gone', title: `${all.length} elements are not there`, why, href: '/app/places' }]
  }
  return all
    .map(({ address, title, types, connectivity }) => ({
      id: `gone ${address}`,
      tone: 'bad',
      icon: iconOf(kindOf(address), types, idOf(address)),
      title: title || idOf(address),
      why: connectivity?.state === 'lost' ? 'Its connection broke.' : 'It has not said anything for longer than usual.',
      at: connectivity?.since ? Date.parse(connectivity.since) : undefined,
      href: hrefOf(address),
    }))
}

/** What the hub did not pass on, an element once. */
function notUnderstood(refused: RefusedMessage[]): Need[] {
  const byKey = new Map<Key, RefusedMessage[]>()
  for (const one of refused) {
    const [kind, id] = (one.topic ?? '').split('/')
    const key = keyOf(`${kind}/${id}`)
    if (key) byKey.set(key, [...(byKey.get(key) ?? []), one])
  }
  return [...byKey].map(([key, all]) => {
    const last = all.reduce((a, b) => (a.at > b.at ? a : b))
    const problem = last.problems?.[0]
    const part = last.topic?.split('/')[3]
    return {
      id: `refused ${key}`,
      tone: 'warn',
      icon: 'alert',
      title: `${catalogue.titleOf(key)}: ${all.length === 1 ? 'something was' : `${all.length} messages were`} refused`,
      why: sentence(`${part ? `${wordsOf(part)}: ` : ''}${problem?.description ?? 'it does not fit its description'}${last.by && last.by !== 'api' ? `; ${catalogue.titleOf(last.by)} said so` : ''}`),
      at: Date.parse(last.at),
      href: hrefOf(key),
    }
  })
}
