// The schedule, made from the minutes in the notes:
//   npm run schedule             writes SCHEDULE.md
//   npm run schedule -- --check  fails when it is out of date
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SLIDES, deck } from './deck.mjs'

const PATH = join(SLIDES, 'SCHEDULE.md')
const BEGIN = 9 * 60
/** After so many minutes without one, a break comes before the next part. */
const LONGEST = 95
const LUNCH = { from: 12 * 60, minutes: 60 }
const DAYS = [
  { title: 'Half a day: 00–05', last: '05', pause: 10 },
  { title: 'A full day: 00–09', last: '09', pause: 15, lunch: LUNCH },
]

/** What SCHEDULE.md has to say. */
export function schedule(parts) {
  const days = DAYS.map((day) => table(day, parts))
  return (
    '# Schedule\n\n' +
    'Made by `npm run schedule` from the minutes in the notes of every slide. *Talk* is slides and\n' +
    'demos, *work* is what learners get for the exercises. Change the minutes there, not here.\n\n' +
    days.join('\n')
  )
}

function table({ title, last, pause, lunch }, parts) {
  const shown = parts.filter(({ file }) => !/^\d/.test(file) || file.slice(0, 2) <= last)
  const lines = []
  let [now, rested, eaten] = [BEGIN, BEGIN, !lunch]
  const sums = { talk: 0, work: 0 }
  const row = (what, talk, work, minutes) => {
    lines.push(`| ${clock(now)} | ${what} | ${talk || ''} | ${work || ''} |`)
    now += minutes
  }
  shown.forEach((part, index) => {
    const { talk, work } = minutes(part)
    const whole = talk + work
    if (!eaten && now + whole / 2 > lunch.from) {
      row('*lunch*', lunch.minutes, 0, lunch.minutes)
      ;[eaten, rested] = [true, now]
    } else if (index > 0 && now + whole - rested > LONGEST) {
      row('*break*', pause, 0, pause)
      rested = now
    }
    row(`[${name(part)}](${part.file})`, talk, work, whole)
    sums.talk += talk
    sums.work += work
  })
  lines.push(`| ${clock(now)} | end | **${sums.talk}** | **${sums.work}** |`)
  return `## ${title}\n\n| at | what | talk | work |\n|---|---|---|---|\n${lines.join('\n')}\n`
}

/** How long a part takes: what is said, and what is done. */
export function minutes({ slides }) {
  const sum = (some) => some.reduce((all, slide) => all + slide.minutes, 0)
  return {
    talk: sum(slides.filter((slide) => !slide.classes.includes('turn'))),
    work: sum(slides.filter((slide) => slide.classes.includes('turn'))),
  }
}

const name = ({ file }) => file.replace(/\.md$/, '').replace(/^(\d+)-/, '$1 ')
const clock = (time) => `${Math.floor(time / 60)}:${String(time % 60).padStart(2, '0')}`

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wanted = schedule(deck())
  const stale = !existsSync(PATH) || readFileSync(PATH, 'utf8') !== wanted
  if (stale && process.argv.includes('--check')) {
    console.error('SCHEDULE.md is out of date: npm run schedule')
    process.exit(1)
  }
  if (stale) writeFileSync(PATH, wanted)
}
