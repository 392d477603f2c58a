// What can be said of the deck without a browser. Each function takes a deck, as
// `tools/deck.mjs` reads it, and gives a list of problems.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FIELDS, ROOT, SLIDES, levels } from '../tools/deck.mjs'

/** The longest line of code, in letters: longer ones are too small in the back row. */
const LONGEST = 85
/** The parts of a level: the beginning of a slide's title, or the kind of the slide. */
const PARTS = ['problem', 'picture', 'calls', 'exercise', 'broken', 'aha', 'real']

const all = (deck) => deck.flatMap(({ slides }) => slides)
const place = ({ file, line }) => `${file}:${line}`
const read = (...path) => readFileSync(join(ROOT, ...path), 'utf8')

/** Every slide has notes, with all four fields. */
export function notes(deck) {
  return all(deck).flatMap((slide) => {
    const missing = FIELDS.filter((field) => !slide.notes[field])
    const problems = missing.map((field) => `${place(slide)}: no “${field}:” in the notes`)
    if (!Number.isInteger(slide.minutes) || slide.minutes < 1) {
      problems.push(`${place(slide)}: minutes: ${slide.notes.Minutes}`)
    }
    return problems
  })
}

/** Every file has its front matter; every level all that makes a level. */
export function parts(deck) {
  const files = deck.map(({ file }) => file)
  const wanted = ['opening', ...levels(), 'closing'].map((name) => `${name}.md`)
  const problems = files.join() === wanted.join() ? [] : [`files: ${files}; wanted: ${wanted}`]
  for (const { file, front, slides } of deck) {
    if (front.marp !== 'true' || front.theme !== 'rubber-crab' || !front.header) {
      problems.push(`${file}: front matter: ${JSON.stringify(front)}`)
    }
    for (const slide of slides) {
      if (!slide.title) problems.push(`${place(slide)}: no title`)
    }
    if (!/^\d/.test(file)) continue
    const number = file.slice(0, 2)
    const before = String(Number(number) - 1).padStart(2, '0')
    const has = {
      problem: slides.slice(1, 3).some(({ text }) => text.includes(`$ cargo checker try ${number === '00' ? '00' : before} `)),
      picture: slides.some(({ text }) => text.includes(`](pictures/${file.replace('.md', '.svg')})`)),
      calls: slides.some(({ text }) => /^\|---/m.test(text)),
      exercise: slides.some(({ classes }) => classes.includes('turn')),
      broken: slides.some(({ title, text }) => title.startsWith('Broken on purpose') && text.includes(' --mistake ')),
      aha: slides.some(({ title, text }) => title.startsWith('The aha') && text.includes('$ cargo checker try')),
      real: slides.at(-1).title === 'How runc and Docker do it',
    }
    problems.push(...PARTS.filter((part) => !has[part]).map((part) => `${file}: no ${part}`))
  }
  return problems
}

/** The exercises are those of the level, and their minutes those of the notes. */
export function exercises(deck) {
  return all(deck)
    .filter(({ classes }) => classes.includes('turn'))
    .flatMap((slide) => {
      const folder = join(ROOT, 'solutions', slide.file.replace('.md', ''), 'src')
      const marked = readdirSync(folder).flatMap((name) =>
        [...readFileSync(join(folder, name), 'utf8').matchAll(/\/\/> (\d+)\. (.*)/g)].map(([, number, title]) => ({
          number: Number(number),
          title,
        })),
      )
      const wanted = marked.sort((a, b) => a.number - b.number).map(({ title }) => title)
      const told = [...slide.text.matchAll(/^\d+\. (.*)$/gm)].map(([, title]) => title)
      const problems = []
      const same = wanted.length === told.length && wanted.every((title, index) => title.startsWith(told[index].split(':')[0]))
      if (!same) problems.push(`${place(slide)}: exercises: ${told}; wanted: ${wanted}`)
      if (!slide.text.includes(`**${slide.minutes} minutes**`)) {
        problems.push(`${place(slide)}: the notes say ${slide.minutes} minutes, the slide doesn't`)
      }
      return problems
    })
}

/** Code is found word for word in the finished levels. */
export function code(deck) {
  return deck.flatMap(({ file, slides }) => {
    const sources = sourcesFor(file)
    return slides.flatMap(({ blocks }) =>
      blocks
        .filter(({ kind }) => kind === 'rust')
        .flatMap(({ line, lines }) => {
          const problems = sources.some((source) => isIn(lines, source)) ? [] : [`${file}:${line}: not in the finished level`]
          return problems.concat(tooLong(file, line, lines))
        }),
    )
  })
}

/** The files that a part of the deck shows pieces of: its level's, or the last one's. */
function sourcesFor(file) {
  const level = /^\d/.test(file) ? file.replace('.md', '') : levels().at(-1)
  const folder = join(ROOT, 'solutions', level, 'src')
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
}

/** Are these lines in a text, one after the other? `…` stands for any lines between. */
export function isIn(lines, source) {
  const pieces = [[]]
  for (const line of lines) {
    if (line.trim() === '…') pieces.push([])
    else pieces.at(-1).push(line)
  }
  let from = 0
  for (const piece of pieces.filter((piece) => piece.length > 0)) {
    const wanted = shifted(piece)
    const at = source.findIndex(
      (_, index) => index >= from && shifted(source.slice(index, index + piece.length)) === wanted,
    )
    if (at < 0) return false
    from = at + piece.length
  }
  return true
}

/** Lines without the indentation that all have. */
function shifted(lines) {
  const indents = lines.filter((line) => line.trim()).map((line) => line.search(/\S/))
  const common = Math.min(...indents)
  return lines.map((line) => line.slice(common).trimEnd()).join('\n')
}

function tooLong(file, line, lines) {
  const long = lines.filter((text) => text.length > LONGEST)
  return long.map((text) => `${file}:${line}: ${text.length} letters: ${text}`)
}

/** What a text block shows, the checker says: it is in its snapshots. */
export function verdicts(deck) {
  const folder = join('checker', 'tests', 'snapshots')
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.startsWith('variations__'))
  const plain = (text) => text.replace(/\s+/g, ' ').trim()
  const said = names.map((name) => plain(read(folder, name)))
  return all(deck).flatMap(({ file, blocks }) =>
    blocks
      .filter(({ kind }) => kind === 'text')
      .flatMap(({ line, lines }) => {
        const pieces = lines.join('\n').split(/^\s*….*$/m).map(plain)
        const known = said.some((one) => pieces.every((piece) => one.includes(piece)))
        return (known ? [] : [`${file}:${line}: the checker doesn't say this`]).concat(tooLong(file, line, lines))
      }),
  )
}

/** Console blocks are demos: commands for levels and mistakes that exist. */
export function demos(deck) {
  const levelsOnly = deck.filter(({ file }) => /^\d/.test(file))
  const inLevels = all(levelsOnly).flatMap(({ blocks }) => blocks.map(({ lines }) => lines.join('\n')))
  return all(deck).flatMap(({ file, blocks }) =>
    blocks.flatMap(({ kind, line, lines }) => {
      if (kind !== 'console') {
        const known = ['rust', 'text', 'sh'].includes(kind)
        return known ? [] : [`${file}:${line}: a block of kind “${kind}”`]
      }
      const commands = lines.filter((text) => text.startsWith('$ '))
      const problems = lines[0].startsWith('$ ') ? [] : ['it begins with output']
      // Demos are played level by level: what else is shown has its place in one, too.
      const played = /^\d/.test(file) || inLevels.includes(lines.join('\n'))
      if (!played) problems.push('in no level, so nothing runs it')
      problems.push(...commands.flatMap(faultsOf))
      return problems.map((problem) => `${file}:${line}: ${problem}`)
    }),
  )
}

function faultsOf(command) {
  const form =
    /^\$ cargo checker (try|xray) (\d\d)( --solution| --mistake ([a-z0-9-]+))( --outside)?( --width \d+)?( -- (.*))?$/
  const found = form.exec(command)
  if (!found) return [`not for a demo: ${command}`]
  const [, verb, number, , mistake, , , , inside = ''] = found
  const level = levels().find((name) => name.startsWith(`${number}-`))
  const problems = []
  if (!level) problems.push(`there is no level ${number}`)
  if (verb === 'try' && !inside) problems.push(`no command: ${command}`)
  if (mistake && level && !existsSync(join(ROOT, 'checker', 'variations', level, `${mistake}.txt`))) {
    problems.push(`there is no mistake ${mistake}`)
  }
  const called = [...inside.matchAll(/\b(level|solution|mistake)-(\d\d)\b/g)].map(([name]) => name)
  const name = `${mistake ? 'mistake' : 'solution'}-${number}`
  problems.push(...called.filter((one) => one !== name).map((one) => `${one} should be ${name}`))
  return problems
}

/** What is to be typed in the slides, the notes and the guide, the checker knows. */
export function commands(deck) {
  const [, variants] = /^enum Command \{\n([\s\S]*?)^\}/m.exec(read('checker', 'src', 'main.rs'))
  const known = [...variants.matchAll(/^    ([A-Z]\w*)/gm)].map(([, name]) => name.toLowerCase())
  const guide = { file: 'README.md', text: readFileSync(join(SLIDES, 'README.md'), 'utf8') }
  return [guide, ...all(deck)].flatMap(({ file, text }) =>
    [...text.matchAll(/cargo checker ([a-z]+)\b/g)]
      .filter(([, verb]) => !known.includes(verb))
      .map(([command]) => `${file}: there is no ${command}`),
  )
}

/** Links and pictures lead to files. */
export function links(deck) {
  const guides = ['README.md', 'SCHEDULE.md'].map((file) => ({ file, text: readFileSync(join(SLIDES, file), 'utf8') }))
  const texts = all(deck).map(({ file, text }) => ({ file, text }))
  return [...guides, ...texts].flatMap(({ file, text }) =>
    [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/\]\(([^)]+)\)/g)]
      .map(([, link]) => link)
      .filter((link) => !link.includes('://') && !existsSync(join(SLIDES, link.split('#')[0] || file)))
      .map((link) => `${file}: a link to ${link}`),
  )
}
