// Light or dark: as the system is, unless somebody decided otherwise in this browser.

export type Choice = 'system' | 'light' | 'dark'

class Theme {
  choice = $state<Choice>((document.documentElement.dataset.theme as Choice | undefined) ?? 'system')

  choose(choice: Choice): void {
    this.choice = choice
    if (choice === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = choice
    try {
      if (choice === 'system') localStorage.removeItem('theme')
      else localStorage.setItem('theme', choice)
    } catch {
      // It holds until the page is closed.
    }
  }
}

export const theme = new Theme()
