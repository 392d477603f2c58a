// The build: all files of the deck as one, then Marp makes of it one HTML file that needs
// nothing else, and a PDF.
//   npm run build            both, into dist/
//   npm run build -- --html  the HTML file alone
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { browser } from './browser.mjs'
import { ROOT, SLIDES, deck, levels } from './deck.mjs'

const require = createRequire(import.meta.url)
const FONTS = [
  ['Atkinson Hyperlegible Next', '@fontsource-variable/atkinson-hyperlegible-next'],
  ['Atkinson Hyperlegible Mono', '@fontsource-variable/atkinson-hyperlegible-mono'],
]
/** Nothing from anywhere: a browser that shows the deck asks nobody for anything. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
  "img-src data:; font-src data:; frame-src 'self' file:"

/** Makes NAME.html, and NAME.pdf if it is wanted, of the files of a deck. */
export function build(deck, { folder, name, pdf }) {
  mkdirSync(folder, { recursive: true })
  const [theme, source] = [join(folder, `${name}.css`), join(folder, `${name}.md`)]
  const [page, paper] = [join(folder, `${name}.html`), join(folder, `${name}.pdf`)]
  writeFileSync(theme, wholeTheme())
  writeFileSync(source, whole(deck))
  try {
    marp(theme, source, page)
    writeFileSync(page, finished(readFileSync(page, 'utf8')))
    if (pdf) marp(theme, source, paper, ...inBrowser(), '--pdf', '--pdf-outlines')
  } finally {
    for (const left of [theme, source]) rmSync(left)
  }
  return { page, paper }
}

/** The theme, with the looks of pictures, and its fonts. */
function wholeTheme() {
  const css = ['rubber-crab.css', 'pictures.css']
  const texts = css.map((name) => readFileSync(join(SLIDES, 'theme', name), 'utf8'))
  return [...texts, ...FONTS.flatMap(([family, source]) => faces(family, source))].join('\n')
}

/** A font, as part of the theme. */
function faces(family, source) {
  const folder = join(require.resolve(`${source}/package.json`), '..')
  const sheet = readFileSync(join(folder, 'index.css'), 'utf8')
  return ['latin-ext', 'latin'].map((part) => {
    const name = `${source.split('/')[1]}-${part}-wght-normal`
    const data = readFileSync(join(folder, 'files', `${name}.woff2`)).toString('base64')
    const [range] = /unicode-range: [^;]*;/.exec(sheet.slice(sheet.indexOf(`/* ${name} */`)))
    return (
      `@font-face { font-family: '${family}'; font-weight: 200 800; ${range} ` +
      `src: url(data:font/woff2;base64,${data}) format('woff2'); }`
    )
  })
}

/** One Markdown file of all; each part says its header. */
function whole(deck) {
  const parts = deck.map(({ front, slides }) => {
    const texts = slides.map((slide) => spaced(withNews(slide)).trim())
    const header = `<!-- header: ${JSON.stringify(front.header ?? '')} -->`
    return [`${header}\n${texts[0]}`, ...texts.slice(1)].join('\n\n---\n\n')
  })
  const front = ['theme: rubber-crab', 'paginate: true', 'lang: en', 'title: Rubber Crab']
  return `---\n${front.join('\n')}\n---\n\n${parts.join('\n\n---\n\n')}\n`
}

/** Each field of the notes is a paragraph: so it is easier to read at a glance. */
const spaced = (text) =>
  text.replace(/<!--\n(Say:[\s\S]*?)-->/, (_, notes) => `<!--\n${notes.replace(/^(?=Ask:|Goes wrong:|Minutes:)/gm, '\n')}-->`)

/** A slide's text; in a piece of the spine, what the level before hasn't is marked. */
function withNews({ file, text }) {
  const index = levels().indexOf(file.replace(/\.md$/, ''))
  if (index < 1) return text
  const [before, now] = [index - 1, index].map((at) => spine(levels()[at]))
  return text.replace(/^```rust\n([\s\S]*?)^```$/gm, (block, code) => {
    const lines = code.trimEnd().split('\n').map((line) => line.trim())
    if (!lines.every((line) => now.includes(line))) return block
    const news = lines.flatMap((line, at) => (before.includes(line) ? [] : [at + 1]))
    return news.length > 0 ? block.replace('```rust', `\`\`\`rust new=${news.join(',')}`) : block
  })
}

function spine(level) {
  const text = readFileSync(join(ROOT, 'solutions', level, 'src', 'main.rs'), 'utf8')
  return text.split('\n').map((line) => line.trim())
}

function inBrowser() {
  const { path, flags } = browser()
  // Marp reads it: root can't have Chromium's own sandbox.
  if (flags.length > 0) process.env.CHROME_NO_SANDBOX = '1'
  return ['--browser', 'chrome', '--browser-path', path]
}

function marp(theme, source, output, ...options) {
  const command = [
    join(require.resolve('@marp-team/marp-cli/package.json'), '..', 'marp-cli.js'),
    ...['--no-config-file', '--no-stdin', '--html'],
    ...['--engine', join(SLIDES, 'tools', 'engine.mjs'), '--theme-set', theme],
    ...[...options, '--output', output, source],
  ]
  rmSync(output, { force: true })
  const done = spawnSync(process.execPath, command, { encoding: 'utf8' })
  if (done.status !== 0 || !existsSync(output)) {
    throw new Error(`Marp made no ${output}: ${done.error ?? ''}${done.stdout}${done.stderr}`)
  }
}

/** The page with its policy, and the key `d`: light, dark. */
function finished(html) {
  const read = (name) => readFileSync(join(SLIDES, 'theme', name), 'utf8')
  return html
    .replace('<head>', () => `<head><meta http-equiv="Content-Security-Policy" content="${POLICY}">`)
    .replace('</head>', () => `<style>${read('page.css')}</style></head>`)
    .replace('</body>', () => `<script>${read('page.js')}</script></body>`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const pdf = !process.argv.includes('--html')
  const { page, paper } = build(deck(), { folder: join(SLIDES, 'dist'), name: 'rubber-crab', pdf })
  console.log(pdf ? `${page}\n${paper}` : page)
}
