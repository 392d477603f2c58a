// The tests see what they are for: each check is shown a mistake made on purpose, and has
// to name it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { links, look, open, serve } from './site.mjs'

const HEAD =
  '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
  '<style>html { color-scheme: light; background: white } p { color: #333333 }' +
  '@media (prefers-color-scheme: dark) { html { color-scheme: dark; background: black } p { color: #eeeeee } }</style>'

const LINKS = [
  ['<a href="gone.html">', 'no such file: gone.html'],
  ['<img src="gone.svg">', 'no such file: gone.svg'],
  ['<a href="#gone">', 'no such place: #gone'],
  ['<a href="page.html#gone">', 'no such place: page.html#gone'],
  ['<script src="https://example.org/x.js"></script>', 'asks another server: https://example.org/x.js'],
]
const FINE = '<a id="here" href="#here"></a><a href="page.html#here"></a><a href="https://example.org/">'

const PAGES = [
  ['<p style="width: 2000px">wide</p>', /phone, light: the page is too wide/],
  ['<p style="width: 2000px">wide</p>', /desk, dark: the page is too wide/],
  [`<div style="overflow: hidden"><p style="width: 900px">${'cut off '.repeat(20)}</p></div>`, /phone, light: off the page: /],
  ['<p style="color: #999999">pale</p>', /desk, light: contrast .*pale/],
  ['<p style="color: #666666">dim</p>', /phone, dark: contrast .*dim/],
  ['<details><summary>more</summary><p style="color: #999999">inside</p></details>', /light: contrast .*inside/],
  ['<svg><rect width="99" height="50" fill="#111111"/><text x="9" y="20" fill="#333333">boxed</text></svg>', /contrast .*boxed/],
  ['<script>console.error("on purpose")</script>', /console: on purpose/],
  ['<script>throw new Error("on purpose")</script>', /error on the page: .*on purpose/],
  ['<img src="http://127.0.0.2:9/x.png">', /request: http:\/\/127.0.0.2:9/],
  ['<img src="gone.png">', /console: .*404/],
]

let folder, server, chrome
const put = (name, text) => writeFileSync(join(folder, name), HEAD + text)
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'book-'))
  server = await serve(folder)
  chrome = await open()
})
after(async () => {
  await chrome?.close()
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

test('links that are right', () => {
  put('page.html', FINE)
  assert.deepEqual(links(folder), [])
})

for (const [text, told] of LINKS) {
  test(`a link: ${told}`, () => {
    put('page.html', FINE + text)
    assert.deepEqual(links(folder), [`page.html: ${told}`])
  })
}

test('a page that is right', async () => {
  put('look.html', '<p>fine</p>')
  assert.deepEqual(await look(chrome, `${server.address}look.html`), [])
})

for (const [text, told] of PAGES) {
  test(`a page: ${told.source}`, async () => {
    put('look.html', text)
    const problems = await look(chrome, `${server.address}look.html`)
    assert.ok(problems.some((problem) => told.test(problem)), `said: ${problems.join('\n')}`)
  })
}
