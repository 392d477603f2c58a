// Draws the pictures: each pictures/NAME.mjs makes pictures/NAME.svg.
//   npm run pictures             writes them
//   npm run pictures -- --check  fails when one isn't what its source draws
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SLIDES } from './deck.mjs'

const FOLDER = join(SLIDES, 'pictures')

/** The name of each picture, and what its source draws. */
export async function drawn() {
  const sources = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs') && name !== 'draw.mjs')
  return Promise.all(
    sources.sort().map(async (source) => {
      const { default: picture } = await import(pathToFileURL(join(FOLDER, source)))
      return { name: source.replace(/\.mjs$/, '.svg'), svg: picture.svg() }
    }),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes('--check')
  let stale = 0
  for (const { name, svg } of await drawn()) {
    const path = join(FOLDER, name)
    if (existsSync(path) && readFileSync(path, 'utf8') === svg) continue
    if (check) console.error(`pictures/${name} isn't what its source draws: npm run pictures`)
    else writeFileSync(path, svg)
    stale++
  }
  process.exit(check && stale > 0 ? 1 : 0)
}
