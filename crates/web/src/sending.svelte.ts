// Whether this device sends what its sensors say: whoever holds it sees that on every page, and can stop it there.

class Sending {
  /** What is sent, in words; nothing if nothing is. */
  what = $state.raw<string[]>([])
  stop: () => void = () => undefined
}

export const sending = new Sending()
