// The deck as data: which files, which slides, what is on each, what its notes say.
// Everything else here (build, schedule, tests) reads the deck through `deck()`.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const SLIDES = fileURLToPath(new URL('..', import.meta.url))
export const ROOT = join(SLIDES, '..')

/** What the notes of every slide say, in this order. */
export const FIELDS = ['Say', 'Ask', 'Goes wrong', 'Minutes']

/** The levels of the deck: the folders in levels/ that have slides. */
export function levels() {
  const names = readdirSync(join(ROOT, 'levels')).sort()
  return names.filter((name) => /^\d/.test(name) && existsSync(join(SLIDES, `${name}.md`)))
}

/** The deck's files, in the order in which they are shown. */
export function files() {
  return ['opening', ...levels(), 'closing'].map((name) => `${name}.md`)
}

/** All files of the deck, with their slides. */
export const deck = () => files().map((file) => read(file, readFileSync(join(SLIDES, file), 'utf8')))

/** One file: its front matter, and its slides. */
export function read(file, text) {
  const lines = text.split('\n')
  if (lines[0] !== '---') throw new Error(`${file}: no front matter`)
  const end = lines.indexOf('---', 1)
  const front = Object.fromEntries(
    lines.slice(1, end).map((line) => line.split(/: (.*)/s).slice(0, 2)),
  )
  const slides = []
  let [begin, inFence, inComment] = [end + 1, false, false]
  for (let index = begin; index <= lines.length; index++) {
    const line = lines[index]
    if (index === lines.length || (line === '---' && !inFence && !inComment)) {
      slides.push(slide(file, begin, lines.slice(begin, index)))
      begin = index + 1
      continue
    }
    if (line.startsWith('```')) inFence = !inFence
    if (!inFence && line.includes('<!--')) inComment = true
    if (inComment && line.includes('-->')) inComment = false
  }
  return { file, front, slides }
}

function slide(file, begin, lines) {
  const text = lines.join('\n')
  const comments = [...text.matchAll(/<!--\s*([\s\S]*?)\s*-->/g)].map(([, inner]) => inner)
  const notes = comments.map(fields).filter((found) => Object.keys(found).length > 0)
  return {
    file,
    /** Where it stands in the file, counted from 1. */
    line: begin + 1 + Math.max(0, lines.findIndex((line) => line.trim() !== '')),
    text,
    title: /^#{1,2} (.*)$/m.exec(text)?.[1] ?? '',
    classes: (/<!-- _class: (.*?) -->/.exec(text)?.[1] ?? '').split(' ').filter(Boolean),
    notes: notes[0] ?? {},
    minutes: Number(notes[0]?.Minutes),
    blocks: blocks(begin, lines),
  }
}

/** `Say: …`, `Ask: …`: each goes on until the next one begins. */
function fields(comment) {
  const found = {}
  let name
  for (const line of comment.split('\n')) {
    const begins = FIELDS.find((field) => line.startsWith(`${field}:`))
    if (begins) name = begins
    if (name) found[name] = [found[name], line.slice(begins ? begins.length + 1 : 0).trim()].filter(Boolean).join(' ')
  }
  return found
}

/** The code blocks: their kind, their lines, and where they begin, counted from 1. */
function blocks(begin, lines) {
  const found = []
  let open
  lines.forEach((line, index) => {
    if (!line.startsWith('```')) open?.lines.push(line)
    else if (open) open = undefined
    else found.push((open = { kind: line.slice(3).trim(), line: begin + index + 1, lines: [] }))
  })
  return found
}
