// Marp, as this deck wants it: no emoji from elsewhere, pictures that are part of the
// page (so that they have its colours), and terminals that look like terminals.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Marp } from '@marp-team/marp-core'
import { SLIDES } from './deck.mjs'

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const span = (kind, text) => `<span class="${kind}">${escape(text)}</span>`

export default class extends Marp {
  constructor(options) {
    super({
      ...options,
      emoji: { shortcode: false, unicode: false },
      math: false,
      script: false,
      slug: false,
    })
    this.use(pictures)
    this.use(terminals)
  }

  highlighter(code, language, attributes) {
    if (language !== 'console') return marked(super.highlighter(code, language, attributes), attributes)
    return code.trimEnd().split('\n').map(line).join('')
  }
}

/** What is new in the spine: `new=3,4` names lines, counted from 1. */
function marked(html, attributes) {
  const numbers = (/new=([\d,]+)/.exec(attributes)?.[1] ?? '').split(',').map(Number)
  const lines = html.trimEnd().split('\n')
  return lines
    .map((text, index) => (numbers.includes(index + 1) ? `<span class="new">${text}</span>` : `${text}\n`))
    .join('')
}

/** A line of a terminal: a command, or what came out. */
function line(text) {
  if (!text.startsWith('$ ')) {
    const shown = escape(text).replaceAll('…', span('gap', '…'))
    return `<span class="line">${shown}</span>`
  }
  const [, words, inside] = /^\$ (.*?)(?:( -- .*))?$/.exec(text)
  const [, before, mistake, after] = /^(.*?)(--mistake \S+)?((?: .*)?)$/.exec(words)
  const shown =
    span('prompt', '$ ') +
    (mistake
      ? span('words', before) + span('mistake', mistake) + span('words', after)
      : span('words', words)) +
    (inside ? `<span class="words"> -- </span><span class="inside">${unbroken(inside.slice(4))}</span>` : '')
  return `<span class="command">${shown}</span>`
}

/** A long command goes on in the next line, but never in the middle of a word. */
const unbroken = (text) => text.replace(/\S+/g, (word) => span('word', word))

/** The kind of a block becomes a class of its `pre`. */
function terminals(markdown) {
  const usual = markdown.renderer.rules.fence
  markdown.renderer.rules.fence = (tokens, index, ...rest) => {
    const made = usual(tokens, index, ...rest)
    const terminal = tokens[index].info.trim() === 'console'
    return terminal ? made.replace(/^<pre[^>]*>/, '<pre class="terminal">') : made
  }
}

/** An image of pictures/ is put into the page; its own colours stay behind. */
function pictures(markdown) {
  const usual = markdown.renderer.rules.image
  markdown.renderer.rules.image = (tokens, index, options, env, self) => {
    const source = tokens[index].attrGet('src') ?? ''
    if (!source.startsWith('pictures/') || !source.endsWith('.svg')) {
      return usual(tokens, index, options, env, self)
    }
    const svg = readFileSync(join(SLIDES, 'pictures', basename(source)), 'utf8')
    return `<figure>${svg.replace(/<style>[\s\S]*?<\/style>\s*/, '').replace(/\n/g, '')}</figure>`
  }
  // A paragraph that holds nothing but a picture isn't one.
  markdown.core.ruler.push('lone_pictures', (state) => {
    state.tokens.forEach((token, index) => {
      const alone = token.type === 'inline' && token.children?.length === 1 && token.children[0].type === 'image'
      if (alone && state.tokens[index - 1]?.type === 'paragraph_open') {
        state.tokens[index - 1].hidden = true
        state.tokens[index + 1].hidden = true
      }
    })
  })
}
