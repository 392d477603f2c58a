// The copy button of a block of commands takes what one types: neither the prompts nor
// what comes out.
document.addEventListener(
  'click',
  (event) => {
    const button = event.target.closest('.clip-button')
    const code = button?.closest('pre').querySelector('code.language-console')
    if (!code || !navigator.clipboard) return
    event.stopPropagation()
    const typed = code.textContent.split('\n').filter((line) => line.startsWith('$ '))
    navigator.clipboard.writeText(typed.map((line) => line.slice(2)).join('\n'))
    button.firstElementChild.textContent = 'Copied!'
    button.classList.add('tooltipped')
  },
  true,
)
