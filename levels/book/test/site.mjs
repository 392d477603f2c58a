// The built book, looked at: its files by themselves (`links`), and its pages in a
// browser (`look`), on a phone and on a desk, in light and in dark.
// Both give a list of problems.
import { createServer } from 'node:http'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { extname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { colours, open } from '../../../slides/test/page.mjs'

export { open }
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Where `cargo checker author book` makes it. */
export const SITE = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'book')
export const SCHEMES = ['light', 'dark']
const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } }
/** WCAG 2, level AA. */
const CONTRAST = 4.5
const KINDS = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' }

/** The pages that a reader turns, in their order: as the table of contents has them. */
export function chapters(site) {
  const contents = readFileSync(join(site, 'toc.html'), 'utf8')
  return [...contents.matchAll(/href="([^"#]+\.html)"/g)].map(([, page]) => page)
}

/** All files of a kind, from the site's folder on. */
export function files(site, kind) {
  const all = readdirSync(site, { recursive: true }).map(String)
  return all.filter((file) => extname(file) === kind).sort()
}

/** What a page refers to that isn't there: files, places in them, other servers. */
export function links(site) {
  const problems = []
  const text = new Map(files(site, '.html').map((file) => [file, readFileSync(join(site, file), 'utf8')]))
  const places = (file) => new Set([...text.get(file).matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id]) => id))
  const known = new Map([...text.keys()].map((file) => [file, places(file)]))
  for (const [file, html] of text) {
    for (const [, kind, value] of html.matchAll(/\s(href|src)="([^"]*)"/g)) {
      const target = value.replaceAll('&amp;', '&')
      const tell = (what) => problems.push(`${file}: ${what}: ${target}`)
      if (/^(\w+:|\/\/)/.test(target)) {
        if (kind === 'src' && !target.startsWith('data:')) tell('asks another server')
        continue
      }
      const [path, place] = decodeURI(target).split('#')
      // In 404.html all is from the top: its base is the site's address.
      const wanted = path === '' ? file : normalize(join(file, '..', path))
      if (!isThere(join(site, wanted))) tell('no such file')
      else if (place && !known.get(wanted)?.has(place)) tell('no such place')
    }
  }
  for (const file of files(site, '.css')) {
    const css = readFileSync(join(site, file), 'utf8')
    for (const [, target] of css.matchAll(/url\(["']?([^"')]+)/g)) {
      if (target.startsWith('data:')) continue
      if (!existsSync(join(site, file, '..', target))) problems.push(`${file}: no such file: ${target}`)
    }
  }
  return problems
}

const isThere = (path) => existsSync(statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, 'index.html') : path)

/** A plain file server on a port of its own; `close` ends it. */
export async function serve(site) {
  const server = createServer((request, response) => {
    const path = decodeURI(new URL(request.url, 'http://localhost').pathname)
    const file = join(site, normalize(path), path.endsWith('/') ? 'index.html' : '')
    if (!existsSync(file)) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': KINDS[extname(file)] ?? 'application/octet-stream' })
    response.end(readFileSync(file))
  })
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }
}

/** A page of the book, shown; what goes wrong while it is open comes to `problems`. */
export async function show(chrome, address, { size = 'desk', scheme = 'light', problems = [] } = {}) {
  const page = await chrome.newPage()
  const own = new URL('.', address).protocol === 'file:' ? 'file://' : new URL(address).origin
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`error on the page: ${error}`))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(own) && !/^(data|blob):/.test(url)) problems.push(`request: ${url}`)
  })
  page.on('requestfailed', (request) => {
    if (request.failure().errorText !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()}`)
  })
  await page.setViewport(SIZES[size])
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(address)
  await drawn(page)
  return page
}

/** All diagrams are drawn, and the fonts are there. */
async function drawn(page) {
  await page.waitForFunction(
    () => [...document.querySelectorAll('pre.mermaid')].every((one) => one.dataset.scheme === getComputedStyle(document.documentElement).colorScheme),
  )
  await page.evaluate(() => document.fonts.ready)
}

/** Looks at a page in both sizes and both schemes; the theme follows without a reload. */
export async function look(chrome, address) {
  const problems = []
  for (const size of Object.keys(SIZES)) {
    const page = await show(chrome, address, { size, problems })
    await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)))
    for (const scheme of SCHEMES) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
      await page.waitForFunction((wanted) => getComputedStyle(document.documentElement).colorScheme === wanted, {}, scheme)
      const found = await examined(page)
      problems.push(...found.map((problem) => `${size}, ${scheme}: ${problem}`))
    }
    await page.close()
  }
  return problems.map((problem) => `${relative('/', new URL(address).pathname)}: ${problem}`)
}

/** What is wrong with a page as it is shown now. */
export async function examined(page) {
  await drawn(page)
  await page.evaluate(`window.colours = (${colours})()`)
  return page.evaluate(examine, { CONTRAST })
}

/** Runs in the page: what is wrong with it. */
function examine({ CONTRAST }) {
  const problems = []
  const { colour, contrast, behind } = window.colours
  const width = document.documentElement.clientWidth
  if (document.documentElement.scrollWidth > width) {
    problems.push(`the page is too wide: ${document.documentElement.scrollWidth} of ${width}`)
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const node = walker.currentNode
    const element = node.parentElement
    if (!node.data.trim() || element.closest('style, script, template, noscript')) continue
    const range = document.createRange()
    range.selectNodeContents(node)
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 1)
    if (rects.length === 0 || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue
    const shown = JSON.stringify(node.data.trim().slice(0, 40))
    const moves = element.closest('pre, code, .table-wrapper, nav.sidebar')
    if (!moves && rects.some((rect) => rect.right > width + 1)) problems.push(`off the page: ${shown}`)
    const svg = element.closest('svg')
    const label = svg && element instanceof SVGElement
    const text = colour(getComputedStyle(element)[label ? 'fill' : 'color'])
    let ground = behind(element, () => {})
    if (svg) {
      // A box of the diagram, if one is there.
      const { left, right, top, bottom } = rects[0]
      const [x, y] = [(left + right) / 2, (top + bottom) / 2]
      const boxes = [...svg.querySelectorAll('rect, polygon')].filter((box) => {
        const { fill, opacity } = getComputedStyle(box)
        const place = box.getBoundingClientRect()
        return fill !== 'none' && colour(fill).alpha === 1 && opacity !== '0' &&
          x > place.left && x < place.right && y > place.top && y < place.bottom
      })
      boxes.sort((a, b) => a.getBoundingClientRect().width - b.getBoundingClientRect().width)
      if (boxes[0]) ground = colour(getComputedStyle(boxes[0]).fill).rgb
    }
    const ratio = contrast(text.rgb, ground)
    if (ratio < CONTRAST || text.alpha < 1) {
      problems.push(`contrast ${ratio.toFixed(2)}: ${shown} in ${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}`)
    }
  }
  return problems
}
