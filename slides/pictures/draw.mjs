// How the pictures are drawn: boxes, arrows and words, as an SVG. Colours come from the
// theme: a picture has them for itself when it is shown alone (on GitHub), light and
// dark; in the deck it is part of the page and has those of the page.
import { readFileSync } from 'node:fs'

const THEME = new URL('../theme/rubber-crab.css', import.meta.url)
const PICTURES = new URL('../theme/pictures.css', import.meta.url)
const LINE = 1.3

const escape = (text) =>
  String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')

/** A picture of this size; `title` and `description` are for who can't see it. */
export class Picture {
  #parts = []

  constructor(width, height, title, description) {
    Object.assign(this, { width, height, title, description })
  }

  /** Words; several lines when `words` is a list. `y` is the middle of the first. */
  text(x, y, words, { look = 'ink', size = 27, anchor = 'start', bold, code } = {}) {
    const lines = [words].flat()
    lines.forEach((line, index) => {
      const classes = ['p-text', `p-${look}`, bold && 'p-bold', code && 'p-code']
      const at = Math.round(y + index * size * LINE + size * 0.35)
      this.#parts.push(
        `<text x="${x}" y="${at}" font-size="${size}" text-anchor="${anchor}" ` +
          `class="${classes.filter(Boolean).join(' ')}">${escape(line)}</text>`,
      )
    })
    return this
  }

  /** A box with words in its middle. `look`: card, own, new, gone or dark. */
  box(x, y, width, height, words = [], options = {}) {
    const { look = 'card', size = 27, left, round = 10, ...rest } = options
    this.#parts.push(
      `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${round}" ` +
        `class="p-${look}"/>`,
    )
    const lines = [words].flat()
    const first = y + height / 2 - ((lines.length - 1) * size * LINE) / 2
    const inks = { new: 'crab', own: 'sea', gone: 'pale', dark: 'light' }
    const text = { look: inks[look] ?? 'ink', size, ...rest }
    if (left) this.text(x + 18, first, lines, text)
    else this.text(x + width / 2, first, lines, { ...text, anchor: 'middle' })
    return this
  }

  /** A frame around other things, with a title in its upper left corner. */
  frame(x, y, width, height, title, { look = 'frame', ink = 'pale', size = 27 } = {}) {
    this.#parts.push(
      `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="16" ` +
        `class="p-${look}"/>`,
    )
    return this.text(x + 20, y + 28, title, { look: ink, size, bold: true })
  }

  /** A line along points, with a head at its end (`heads`: 0, 1 or 2). */
  arrow(points, { look = 'stroke', heads = 1, dashed } = {}) {
    const path = points.map(([x, y]) => `${x} ${y}`).join(' L ')
    const dash = dashed ? ' p-dashed' : ''
    this.#parts.push(`<path d="M ${path}" class="p-line p-${look}${dash}"/>`)
    if (heads > 0) this.#head(points.at(-2), points.at(-1), look)
    if (heads > 1) this.#head(points[1], points[0], look)
    return this
  }

  #head([fromX, fromY], [x, y], look) {
    const angle = Math.atan2(y - fromY, x - fromX)
    const corner = (turn, length) => {
      const at = [x + length * Math.cos(angle + turn), y + length * Math.sin(angle + turn)]
      return at.map((number) => number.toFixed(1)).join(' ')
    }
    const points = [corner(0, 5), corner(Math.PI - 0.45, 15), corner(Math.PI + 0.45, 15)]
    this.#parts.push(`<polygon points="${points.join(', ')}" class="p-head p-${look}"/>`)
  }

  /** What `write` puts into the file. */
  svg() {
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-3 -3 ${this.width + 6} ${this.height + 6}" ` +
      `role="img" aria-label="${escape(this.title)}. ${escape(this.description)}">\n` +
      `<style>\n${style()}</style>\n${this.#parts.join('\n')}\n</svg>\n`
    )
  }
}

/** The theme's colours as they are defined there: name, light, dark. */
export function colours() {
  const css = readFileSync(THEME, 'utf8')
  const found = css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\)/g)
  return [...found].map(([, name, light, dark]) => ({ name, light, dark }))
}

function style() {
  const all = (which) => colours().map((one) => `--${one.name}: ${one[which]};`).join(' ')
  return (
    `:root { ${all('light')} }\n` +
    `@media (prefers-color-scheme: dark) { :root { ${all('dark')} } }\n` +
    readFileSync(PICTURES, 'utf8').replace(/\/\*[\s\S]*?\*\/\s*/g, '')
  )
}
