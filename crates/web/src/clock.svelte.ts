// One clock for all that says how long ago something was.

class Clock {
  now = $state(Date.now())

  constructor() {
    setInterval(() => (this.now = Date.now()), 5_000)
  }
}

export const clock = new Clock()
