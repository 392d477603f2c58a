// The deck, as it is shown: built, opened in a headless Chromium, every slide looked at
// in light and in dark. See page.mjs.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { build } from '../tools/build.mjs'
import { FIELDS, deck } from '../tools/deck.mjs'
import { drawn } from '../tools/pictures.mjs'
import { look, lookAtPicture, open, pages } from './page.mjs'

let folder, built, chrome
const wanted = deck().flatMap(({ slides }) => slides).length

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slides-'))
  built = build(deck(), { folder, name: 'deck', pdf: true })
  chrome = await open()
})

after(async () => {
  await chrome?.close()
  rmSync(folder, { recursive: true, force: true })
})

for (const scheme of ['light', 'dark']) {
  test(`every slide, ${scheme}: it fits, it can be read, nothing is asked for`, async () => {
    const { slides, notes, problems } = await look(chrome, built.page, scheme)
    assert.deepEqual(problems, [])
    assert.equal(slides, wanted)
    assert.equal(notes.length, wanted)
    for (const note of notes) {
      for (const field of FIELDS) assert.match(note, new RegExp(`^${field}: `, 'm'))
    }
  })
}

for (const scheme of ['light', 'dark']) {
  test(`every picture alone, ${scheme}, with the fonts of this machine`, async () => {
    for (const { name, svg } of await drawn()) {
      assert.deepEqual(await lookAtPicture(chrome, svg, scheme), [], name)
    }
  })
}

test('the PDF has a page for each slide', () => {
  assert.equal(pages(built.paper), wanted)
})

test('the page is one file: no address in it leads elsewhere', () => {
  const html = readFileSync(built.page, 'utf8')
  const asked = [...html.matchAll(/(?:\b(?:src|href|poster|action)=|url\(|@import )["']?([^"')\s>]+)/g)]
  const elsewhere = asked.map(([, address]) => address).filter((address) => /^(\w+:)?\/\//.test(address))
  assert.deepEqual(elsewhere, [])
  assert.match(html, /http-equiv="Content-Security-Policy" content="default-src 'none';/)
})

test('the key d changes between light and dark', async () => {
  const page = await chrome.newPage()
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }])
  await page.goto(pathToFileURL(built.page).href)
  const paper = () => page.$eval('svg.bespoke-marp-active section', (one) => getComputedStyle(one).backgroundColor)
  const light = await paper()
  await page.keyboard.press('d')
  assert.notEqual(await paper(), light)
  await page.keyboard.press('d')
  assert.equal(await paper(), light)
  await page.close()
})

test('the presenter’s view shows the notes', async () => {
  const page = await chrome.newPage()
  const problems = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(`${pathToFileURL(built.page).href}?view=presenter#2`)
  await page.waitForSelector('.bespoke-marp-presenter-note-wrapper .bespoke-marp-note.active')
  const note = await page.$eval('.bespoke-marp-note.active', (one) => one.textContent)
  assert.match(note, /^Say: /)
  assert.deepEqual(problems, [])
  await page.close()
})
