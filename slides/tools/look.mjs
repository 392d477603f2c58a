// Pictures of all slides, to look at: npm run look -- [--dark] [file or number …]
// writes dist/look/light/001.png … and, six to a sheet, dist/look/light/sheet-01.png …
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import puppeteer from 'puppeteer-core'
import { browser } from './browser.mjs'
import { SLIDES, deck } from './deck.mjs'

const SHEET = 6
const words = process.argv.slice(2)
const scheme = words.includes('--dark') ? 'dark' : 'light'
const chosen = words.filter((word) => !word.startsWith('--'))
const out = join(SLIDES, 'dist', 'look', scheme)
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })

const all = deck().flatMap(({ slides }) => slides).map((slide, index) => ({ ...slide, number: index + 1 }))
const wanted = all.filter(
  (slide) => chosen.length === 0 || chosen.some((word) => slide.file.startsWith(word) || String(slide.number) === word),
)
const { path, flags } = browser()
const chrome = await puppeteer.launch({ executablePath: path, args: flags })
const page = await chrome.newPage()
await page.setBypassCSP(true)
await page.setViewport({ width: 1280, height: 720 })
await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
const address = pathToFileURL(join(SLIDES, 'dist', 'rubber-crab.html')).href
await page.goto(address)
await page.addStyleTag({ content: '.bespoke-marp-osc { display: none !important }' })
const shots = []
for (const { number } of wanted) {
  await page.evaluate((at) => { location.hash = `#${at}` }, number)
  await new Promise((done) => setTimeout(done, 60))
  const shot = await page.screenshot()
  writeFileSync(join(out, `${String(number).padStart(3, '0')}.png`), shot)
  shots.push(Buffer.from(shot).toString('base64'))
}
const sheet = await chrome.newPage()
await sheet.setViewport({ width: 1640, height: 1400 })
for (let from = 0; from < shots.length; from += SHEET) {
  const images = shots.slice(from, from + SHEET).map((shot) => `<img src="data:image/png;base64,${shot}">`)
  await sheet.setContent(
    `<style>body{margin:0;background:#888;display:grid;grid-template-columns:1fr 1fr;gap:8px;padding:8px}img{width:100%}</style>${images.join('')}`,
  )
  await sheet.screenshot({ path: join(out, `sheet-${String(from / SHEET + 1).padStart(2, '0')}.png`) })
}
await chrome.close()
console.log(`${wanted.length} slides: ${out}`)
