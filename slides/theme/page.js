// The key d changes between light and dark, in all windows of this deck.
{
  const root = document.documentElement
  const kept = 'rubber-crab-scheme'
  const store = (() => {
    try {
      return window.localStorage
    } catch {
      return undefined
    }
  })()
  const show = (scheme) => {
    if (scheme) root.dataset.scheme = scheme
    else delete root.dataset.scheme
  }
  show(store?.getItem(kept))
  addEventListener('storage', (event) => event.key === kept && show(event.newValue))
  addEventListener('keydown', (event) => {
    if (event.key !== 'd' || event.ctrlKey || event.altKey || event.metaKey) return
    const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
    const next = (root.dataset.scheme ?? system) === 'dark' ? 'light' : 'dark'
    show(next)
    store?.setItem(kept, next)
  })
}
