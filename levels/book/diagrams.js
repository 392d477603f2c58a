// Draws the page's diagrams with Mermaid, in the colours of the page, and again when its
// theme changes. Mermaid is large: only a page with diagrams loads it.
(() => {
  const root = document.documentElement
  const diagrams = [...document.querySelectorAll('pre.mermaid')]
  const texts = diagrams.map((one) => one.textContent)
  if (diagrams.length === 0) return

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim()
  const scheme = () => getComputedStyle(root).colorScheme
  let drawn

  async function draw() {
    if (drawn === scheme()) return
    drawn = scheme()
    await document.fonts.ready
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: 'loose', // the text is ours, and has <b> and <br/> in it
      theme: 'base',
      // Room for two lines: Mermaid wraps a group's title, and forgets how high it is.
      flowchart: { wrappingWidth: 300, subGraphTitleMargin: { top: 6, bottom: 24 } },
      themeVariables: {
        darkMode: drawn === 'dark',
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: '15px',
        background: colour('--diagram-page'),
        primaryColor: colour('--diagram-box'),
        primaryTextColor: colour('--diagram-text'),
        primaryBorderColor: colour('--diagram-line'),
        lineColor: colour('--diagram-line'),
        textColor: colour('--diagram-text'),
        titleColor: colour('--diagram-text'),
        clusterBkg: colour('--diagram-group'),
        clusterBorder: colour('--diagram-line'),
        edgeLabelBackground: colour('--diagram-page'),
        noteBkgColor: colour('--diagram-note'),
        noteTextColor: colour('--diagram-text'),
        noteBorderColor: colour('--diagram-line'),
      },
    })
    for (const [index, text] of texts.entries()) {
      const { svg } = await mermaid.render(`diagram-${index}-${drawn}`, text)
      diagrams[index].innerHTML = svg
      diagrams[index].dataset.scheme = drawn
      // It shrinks with the page as long as its words can be read.
      const picture = diagrams[index].firstElementChild
      picture.style.minWidth = `${0.7 * parseFloat(picture.style.maxWidth)}px`
    }
  }

  const script = document.createElement('script')
  script.src = `${path_to_root}mermaid.min.js`
  script.onload = () => {
    draw()
    new MutationObserver(draw).observe(root, { attributeFilter: ['class'] })
  }
  document.head.append(script)
})()
