// The tests see what they are for: each check is shown a mistake made on purpose, and
// has to name it.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { build } from '../tools/build.mjs'
import { SLIDES, deck, read } from '../tools/deck.mjs'
import { minutes, schedule } from '../tools/schedule.mjs'
import * as checks from './checks.mjs'
import { look, lookAtPicture, open, pages } from './page.mjs'

/** The deck, with one text in one file exchanged. */
function faulty(file, from, to) {
  const text = readFileSync(join(SLIDES, file), 'utf8')
  assert.ok(text.includes(from), `${file} has no ${from}`)
  return deck().map((part) => (part.file === file ? read(file, text.replace(from, () => to)) : part))
}

const FAULTS = [
  ['notes', '03-pivot-root.md', /^Ask: .*$/m, '', 'no “Ask:” in the notes'],
  ['notes', '03-pivot-root.md', /^Minutes: 1$/m, 'Minutes: some', 'minutes: some'],
  ['notes', '03-pivot-root.md', /<!--\nSay:[\s\S]*?-->/, '', 'no “Say:” in the notes'],
  ['parts', '03-pivot-root.md', 'theme: rubber-crab', 'theme: gaia', 'front matter'],
  ['parts', '03-pivot-root.md', '## The old root goes', 'The old root goes', 'no title'],
  ['parts', '03-pivot-root.md', '](pictures/03-pivot-root.svg)', '](pictures/docker.svg)', 'no picture'],
  ['parts', '03-pivot-root.md', '## Broken on purpose', '## Broken', 'no broken'],
  ['parts', '03-pivot-root.md', '## The aha', '## Then', 'no aha'],
  ['parts', '03-pivot-root.md', '<!-- _class: turn -->', '', 'no exercise'],
  ['parts', '03-pivot-root.md', '## How runc and Docker do it', '## How they do it', 'no real'],
  ['exercises', '03-pivot-root.md', '2. Swap the roots\n', '', 'exercises'],
  ['exercises', '03-pivot-root.md', '2. Swap the roots', '2. Swap them', 'exercises'],
  ['exercises', '03-pivot-root.md', /\*\*\d+ minutes\*\*/, '**99 minutes**', 'the slide doesn’t'],
  ['code', '03-pivot-root.md', 'let put_old = root.join(PUT_OLD);', 'let old = root.join(PUT_OLD);', 'not in the finished level'],
  ['code', '03-pivot-root.md', '```rust\n', `\`\`\`rust\n// ${'long '.repeat(20)}\n`, 'letters'],
  ['verdicts', 'opening.md', 'nothing of the old root is left', 'all of the old root is left', 'the checker doesn’t say this'],
  ['demos', '03-pivot-root.md', 'try 03 --mistake old-root-stays', 'try 03 --mistake old-root-gone', 'there is no mistake old-root-gone'],
  ['demos', '03-pivot-root.md', 'try 03 --mistake', 'try 33 --mistake', 'there is no level 33'],
  ['demos', '03-pivot-root.md', '$ cargo checker try 03 --solution', '$ cargo checker try 03', 'not for a demo'],
  ['demos', '03-pivot-root.md', '```console\n', '```console\nhello\n', 'it begins with output'],
  ['demos', '03-pivot-root.md', '```console', '```bash', 'a block of kind “bash”'],
  ['demos', 'opening.md', 'ps -e -o pid,comm; uname -n', 'ps -e', 'in no level, so nothing runs it'],
  ['demos', '05-uts-ns.md', 'mistake-05 run', 'level-05 run', 'level-05 should be mistake-05'],
  ['commands', 'opening.md', 'cargo checker solve 03', 'cargo checker resolve 03', 'there is no cargo checker resolve'],
  ['links', '03-pivot-root.md', '(pictures/03-pivot-root.svg)', '(pictures/gone.svg)', 'a link to pictures/gone.svg'],
]

const plain = (text) => text.replaceAll('’', "'")

for (const [name, file, from, to, told] of FAULTS) {
  test(`${name}: ${told}`, () => {
    const text = readFileSync(join(SLIDES, file), 'utf8')
    const found = typeof from === 'string' ? from : from.exec(text)[0]
    const problems = checks[name](faulty(file, found, to)).map(plain)
    assert.ok(problems.some((problem) => problem.includes(plain(told))), `${told}; said: ${problems.join('; ')}`)
  })
}

test('the schedule follows the minutes', () => {
  const changed = faulty('03-pivot-root.md', 'Minutes: 2', 'Minutes: 9')
  assert.notEqual(schedule(changed), schedule(deck()))
  const talk = (parts) => minutes(parts.find(({ file }) => file.startsWith('03'))).talk
  assert.equal(talk(changed), talk(deck()) + 7)
})

const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1136 400">' +
  '<rect x="10" y="10" width="300" height="80" fill="#222222"/>' +
  '<text x="40" y="60" font-size="28" fill="#333333">on dark</text>' +
  '<rect x="10" y="150" width="200" height="80" fill="#ffffff"/>' +
  '<text x="20" y="200" font-size="28" fill="#000000">far too long a text</text>' +
  '<text x="600" y="300" font-size="28" fill="#777777">first</text>' +
  '<text x="610" y="304" font-size="28" fill="#777777">second</text></svg>'

// What is seen in the browser: a deck of slides with one mistake each.
const SLIDES_WITH_FAULTS = [
  ['# Too high\n\n' + '- a line\n'.repeat(20), /slide 1, .*(off the slide|too high)/],
  ['# Too wide\n\n```rust\n' + 'x'.repeat(120) + '\n```', /slide 2, .*pre is too wide/],
  ['# Pale\n\n<p style="color: #999999">a pale text</p>', /slide 3, .*contrast .*a pale text/],
  ['# Small\n\n<p style="font-size: 18px">a small text</p>', /slide 4, .*too small.*a small text/],
  [`# Picture\n\n<figure>${PICTURE}</figure>`, /slide 5, .*contrast .*on dark/],
  [`# Box\n\n<figure>${PICTURE}</figure>`, /slide 6, .*larger than its box: .*far too long/],
  ['# Request\n\n<img src="file:///nowhere/picture.png">', /request: file:|console: .*(load|Content Security)/],
  ['# Page number\n\n<p style="position: absolute; right: 72px; bottom: 30px">over it</p>', /slide 8, .*over the page number/],
  ['# Seen through\n\n<p style="opacity: 0.3">like a ghost</p>', /slide 9, .*can be seen through/],
  [`# Over\n\n<figure>${PICTURE}</figure>`, /slide 10, .*over each other: /],
  ['# Cut off\n\n<pre style="height: 40px"><code>one\ntwo\nthree\nfour</code></pre>', /slide 11, .*pre is too high/],
  ['# Script\n\n<script>console.error("on purpose")</script>', /console: on purpose/],
]
let folder, built, found, alone
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slides-'))
  const text = SLIDES_WITH_FAULTS.map(([slide]) => slide).join('\n\n---\n\n')
  built = build([read('faults.md', `---\nmarp: true\n---\n\n${text}\n`)], { folder, name: 'faults', pdf: true })
  const chrome = await open()
  found = await look(chrome, built.page, 'light')
  alone = await lookAtPicture(chrome, PICTURE, 'light')
  await chrome.close()
})
after(() => rmSync(folder, { recursive: true, force: true }))

for (const [slide, told] of SLIDES_WITH_FAULTS) {
  test(`in the browser: ${slide.split('\n')[0]}`, () => {
    assert.ok(found.problems.some((problem) => told.test(problem)), `${told}; said: ${found.problems.join('\n')}`)
  })
}

test('a picture alone: contrast, a text larger than its box, one over another', () => {
  for (const told of [/contrast .*on dark/, /larger than its box: .*far too long/, /over each other: /]) {
    assert.ok(alone.some((problem) => told.test(problem)), `${told}; said: ${alone.join('\n')}`)
  }
})

test('pages of a PDF are counted', () => {
  assert.equal(pages(built.paper), SLIDES_WITH_FAULTS.length)
  assert.ok(found.notes.every((note) => !note.includes('Say:')))
})
