// The book, as `cargo checker author book` has made it: its links, every kind of page in
// a headless Chromium, and what a reader does. See site.mjs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { SCHEMES, SITE, chapters, examined, links, look, open, serve, show } from './site.mjs'

const LESSON = '03-pivot-root.html'
const all = chapters(SITE)
/** Of the pages of sources, which are all made alike, the longest is enough. */
const looked = all.filter((page) => !/^(exercises|finished)\//.test(page) || page.endsWith('07-cgroups.html'))
let server, chrome

before(async () => {
  server = await serve(SITE)
  chrome = await open()
})

after(async () => {
  await chrome?.close()
  server?.close()
})

const at = (page) => server.address + page

test('every link, picture and place is there', () => {
  assert.deepEqual(links(SITE), [])
})

test('every level has its lesson, its hints, its picture and its sources', () => {
  const levels = all.filter((page) => /^\d\d-/.test(page))
  assert.ok(levels.length >= 10)
  for (const page of levels) {
    const html = readFileSync(join(SITE, page), 'utf8')
    assert.equal(html.match(/<summary>\d\. /g)?.length, 3, page)
    assert.match(html, /<img src="pictures\/\d\d-/, page)
    for (const folder of ['exercises', 'finished']) assert.ok(all.includes(`${folder}/${page}`), `${folder}/${page}`)
  }
})

test('every page on a phone and a desk, light and dark', async () => {
  // Several at once: each waits for its page most of the time.
  const lanes = [0, 1, 2, 3].map(async (lane) => {
    const found = []
    for (const page of looked.filter((_, index) => index % 4 === lane)) found.push(...await look(chrome, at(page)))
    return found
  })
  assert.deepEqual((await Promise.all(lanes)).flat(), [])
})

test('every theme can be read', async () => {
  for (const theme of ['light', 'rust', 'coal', 'navy', 'ayu']) {
    const problems = []
    const shown = await show(chrome, at('contract.html'), { problems })
    await shown.evaluate((name) => document.getElementById(`mdbook-theme-${name}`).click(), theme)
    problems.push(...await examined(shown))
    assert.deepEqual(problems, [], theme)
    await shown.evaluate(() => localStorage.clear())
    await shown.close()
  }
})

test('a chosen theme is also that of pictures and diagrams', async () => {
  const shown = await show(chrome, at(LESSON), { scheme: 'light' })
  const before = await shown.$eval('pre.mermaid rect', (one) => getComputedStyle(one).fill)
  await shown.evaluate(() => document.getElementById('mdbook-theme-navy').click())
  await shown.waitForFunction(() => document.querySelector('pre.mermaid').dataset.scheme === 'dark')
  assert.notEqual(await shown.$eval('pre.mermaid rect', (one) => getComputedStyle(one).fill), before)
  const picture = await shown.$('img[src^="pictures/"]')
  const dark = await picture.screenshot()
  await shown.evaluate(() => (document.documentElement.style.colorScheme = 'light'))
  assert.notDeepEqual(dark, await picture.screenshot())
  await shown.evaluate(() => localStorage.clear())
  await shown.close()
})

test('hints are closed at first; the keyboard opens each by itself', async () => {
  const shown = await show(chrome, at(LESSON))
  const steps = 'main > details'
  const opened = () => shown.$$eval(steps, (all) => all.map((one) => one.open))
  assert.deepEqual(await opened(), [false, false, false])
  await shown.focus(`${steps}:nth-of-type(2) > summary`)
  await shown.keyboard.press('Enter')
  assert.deepEqual(await opened(), [false, true, false])
  const inner = await shown.$$eval(`${steps}[open] details`, (all) => all.map((one) => one.open))
  assert.deepEqual(inner, Array(5).fill(false))
  await shown.keyboard.press('Tab')
  await shown.keyboard.press('Space')
  assert.ok(await shown.$eval(`${steps}[open] details`, (one) => one.open))
  await shown.close()
})

// From a server, and as files: there a page may fetch nothing.
for (const kind of ['server', 'file']) {
  test(`the search finds pivot_root, from a ${kind}`, async () => {
    const problems = []
    const start = kind === 'server' ? at('index.html') : pathToFileURL(join(SITE, 'index.html')).href
    const shown = await show(chrome, start, { problems })
    await shown.keyboard.press('/')
    await shown.waitForSelector('#mdbook-searchbar:focus')
    await shown.keyboard.type('pivot_root')
    await shown.waitForSelector('#mdbook-searchresults a')
    const found = await shown.$$eval('#mdbook-searchresults a', (all) => all.map((one) => one.href))
    for (const scheme of SCHEMES) {
      await shown.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
      problems.push(...await examined(shown))
    }
    assert.ok(found.every((address) => !/finished|exercises/.test(address)), 'it gives no solution away')
    await Promise.all([shown.waitForNavigation(), shown.click('#mdbook-searchresults a')])
    assert.match(await shown.$eval('main', (one) => one.textContent), /pivot_root/)
    assert.deepEqual(problems, [])
    await shown.close()
  })
}

test('next and previous lead through all chapters, in order', async () => {
  for (const [rel, wanted] of [['next', all], ['prev', all.toReversed()]]) {
    const visited = []
    for (let page = wanted[0]; page; ) {
      visited.push(page)
      const html = readFileSync(join(SITE, page), 'utf8')
      const target = html.match(new RegExp(`<a rel="${rel}[^"]*" href="([^"]+)"`))?.[1]
      page = target && new URL(target, `http://book/${page}`).pathname.slice(1)
    }
    assert.deepEqual(visited, wanted)
  }
  const shown = await show(chrome, at(LESSON))
  await Promise.all([shown.waitForNavigation(), shown.keyboard.press('ArrowRight')])
  assert.equal(shown.url(), at('04-pid-ns.html'))
  await shown.close()
})

test('of a block of commands the button copies what one types', async () => {
  const shown = await show(chrome, at(LESSON))
  const block = await shown.evaluateHandle(() => {
    navigator.clipboard.writeText = (text) => (window.copied = text)
    const long = (code) => code.textContent.split('$ ').length > 2
    return [...document.querySelectorAll('code.language-console')].find(long).parentElement
  })
  await block.evaluate((one) => one.scrollIntoView({ block: 'center' }))
  await block.hover()
  await (await block.$('.clip-button')).click()
  const copied = await shown.evaluate(() => window.copied)
  assert.match(copied, /^cargo checker try .*\ncargo checker try .*$/)
  await shown.close()
})

test('on a phone the table of contents comes and goes', async () => {
  const shown = await show(chrome, at(LESSON), { size: 'phone' })
  const isThere = (wanted) =>
    shown.waitForFunction(
      (there) => Boolean(document.elementFromPoint(20, 200)?.closest('#mdbook-sidebar')) === there,
      {},
      wanted,
    )
  for (const wanted of [true, false]) {
    await isThere(!wanted)
    // Not by the mouse: it moves away, with the page.
    await shown.$eval('#mdbook-sidebar-toggle', (one) => one.click())
    await isThere(wanted)
  }
  await shown.close()
})

test('it can be printed: all chapters on one page, with their diagrams', async () => {
  const problems = []
  const shown = await show(chrome, at('print.html'), { problems })
  const lessons = all.filter((page) => /^\d\d-/.test(page))
  assert.equal(await shown.$$eval('pre.mermaid svg', (drawings) => drawings.length), lessons.length)
  assert.deepEqual(problems, [])
  await shown.close()
})
