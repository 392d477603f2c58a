// What is looked at in the browser: every slide of a built deck, in light and in dark.
// `look` gives a list of problems; each names its slide, counted from 1.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { constants, inflateSync } from 'node:zlib'
import puppeteer from 'puppeteer-core'
import { browser } from '../tools/browser.mjs'

/** In pixels of a slide of 1280 × 720: what is still read in the back row. */
const SMALLEST = { text: 22, code: 20, picture: 22 }
/** WCAG 2, level AA. */
const CONTRAST = 4.5
/** Nothing comes nearer to the edge. */
const MARGIN = 26

export async function open() {
  const { path, flags } = browser()
  return puppeteer.launch({ executablePath: path, args: flags })
}

/** Goes through the slides of `page`, a file, with this colour scheme. */
export async function look(chrome, file, scheme) {
  const problems = []
  const page = await chrome.newPage()
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`error on the page: ${error}`))
  const address = pathToFileURL(file).href
  page.on('request', (request) => {
    const url = request.url()
    if (url.split('#')[0] !== address && !url.startsWith('data:')) problems.push(`request: ${url}`)
  })
  await page.setViewport({ width: 1280, height: 720 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(address)
  await page.evaluate(() => document.fonts.ready)
  await page.evaluate(`window.colours = (${colours})()`)
  const slides = await page.$$eval('svg[data-marpit-svg]', (all) => all.length)
  const notes = await page.$$eval('.bespoke-marp-note', (all) => all.map((one) => [...one.querySelectorAll('p')].map((part) => part.textContent).join('\n')))
  for (let number = 1; number <= slides; number++) {
    await page.evaluate((at) => {
      location.hash = `#${at}`
    }, number)
    await page.waitForFunction(
      (at) => document.querySelectorAll('svg[data-marpit-svg]')[at - 1].matches('.bespoke-marp-active'),
      {},
      number,
    )
    const found = await page.evaluate(examine, { SMALLEST, CONTRAST, MARGIN })
    problems.push(...found.map((problem) => `slide ${number}, ${scheme}: ${problem}`))
  }
  await page.close()
  return { slides, notes, problems }
}

/** Looks at a picture alone, as it is shown outside the deck, with the fonts of this machine. */
export async function lookAtPicture(chrome, svg, scheme) {
  const page = await chrome.newPage()
  await page.setViewport({ width: 1280, height: 720 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  const paper = { light: '#ffffff', dark: '#0d1117' }[scheme]
  await page.setContent(
    '<meta charset="utf-8"><body style="margin: 0"><svg class="bespoke-marp-active" width="1280" height="720">' +
      '<foreignObject width="1280" height="720"><section style="width: 1280px; height: 720px; ' +
      `background: ${paper}"><figure style="margin: 0; position: absolute; inset: 72px; bottom: 120px; ` +
      `display: flex">${svg}</figure></section></foreignObject></svg>`,
  )
  await page.evaluate(`window.colours = (${colours})()`)
  const problems = await page.evaluate(examine, { SMALLEST, CONTRAST, MARGIN })
  await page.close()
  return problems
}

/** Runs in the page: colours, and how well one is read on another. */
export function colours() {
  const colour = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number)
    return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 }
  }
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (light + 0.05) / (dark + 0.05)
  }
  /** The colour behind an element; one that can be seen through is told of. */
  const behind = (element, tell) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = colour(getComputedStyle(at).backgroundColor)
      if (alpha === 1) return rgb
      if (alpha > 0) tell(at)
    }
    return [255, 255, 255]
  }
  return { colour, contrast, behind }
}

/** How many pages a PDF has. Its objects may be packed into streams. */
export function pages(file) {
  const text = readFileSync(file, 'latin1')
  const streams = [...text.matchAll(/stream\r?\n([\s\S]*?)\r?\nendstream/g)].map(([, data]) => {
    try {
      return inflateSync(Buffer.from(data, 'latin1'), { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1')
    } catch {
      return ''
    }
  })
  const count = (part) => [...part.matchAll(/\/Type\s*\/Page\b(?!s)/g)].length
  return [text, ...streams].reduce((sum, part) => sum + count(part), 0)
}

/** Runs in the page: what is wrong with the slide that is shown. */
function examine({ SMALLEST, CONTRAST, MARGIN }) {
  const problems = []
  const section = document.querySelector('svg.bespoke-marp-active section')
  const size = { width: 1280, height: 720 }
  const pageNumber = { left: 1130, top: 662 }
  const shown = (text) => JSON.stringify(text.trim().slice(0, 40))

  const { colour, contrast, behind } = window.colours
  const ground = (element) => behind(element, (at) => problems.push(`a colour that can be seen through: ${at.className}`))
  /** What is below a text: for a picture the shapes that are drawn there. */
  const backgrounds = (element, rect) => {
    const svg = element.closest('figure svg')
    if (!svg) return [ground(element)]
    const middle = (rect.top + rect.bottom) / 2
    return [rect.left + 1, (rect.left + rect.right) / 2, rect.right - 1].map((x) => {
      const shapes = document.elementsFromPoint(x, middle).filter((one) => svg.contains(one))
      const shape = shapes.find(
        (one) => ['rect', 'polygon'].includes(one.tagName) && getComputedStyle(one).fill !== 'none',
      )
      return shape ? colour(getComputedStyle(shape).fill).rgb : ground(svg.parentElement)
    })
  }

  // Every text: is it on the slide, is it large enough, can it be read?
  const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const node = walker.currentNode
    const element = node.parentElement
    if (!node.data.trim() || element.closest('style, script')) continue
    const range = document.createRange()
    range.selectNodeContents(node)
    const style = getComputedStyle(element)
    const picture = element.closest('figure svg')
    const scale = picture ? element.getScreenCTM().a : 1
    const kind = picture ? 'picture' : element.closest('pre') ? 'code' : 'text'
    const pixels = parseFloat(style.fontSize) * scale
    const code = kind === 'text' && element.closest('code')
    if (pixels < SMALLEST[code ? 'code' : kind] - 0.5) {
      problems.push(`too small, ${pixels.toFixed(1)} px: ${shown(node.data)}`)
    }
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 0)
    for (const rect of rects) {
      const edge = element.closest('header') ? 20 : MARGIN
      if (rect.left < edge || rect.right > size.width - edge || rect.top < edge || rect.bottom > size.height - edge) {
        problems.push(`off the slide: ${shown(node.data)}`)
      } else if (rect.right > pageNumber.left && rect.bottom > pageNumber.top) {
        problems.push(`over the page number: ${shown(node.data)}`)
      }
      const text = colour(picture ? style.fill : style.color)
      for (const below of backgrounds(element, rect)) {
        const ratio = contrast(text.rgb, below)
        if (ratio < CONTRAST || text.alpha < 1) {
          problems.push(`contrast ${ratio.toFixed(2)}: ${shown(node.data)}`)
        }
      }
    }
    for (let at = element; at !== section; at = at.parentElement) {
      if (getComputedStyle(at).opacity !== '1') problems.push(`can be seen through: ${shown(node.data)}`)
    }
  }

  // What is drawn before and after elements: the page number.
  for (const element of [section, ...section.querySelectorAll('*')]) {
    for (const where of ['::before', '::after']) {
      const style = getComputedStyle(element, where)
      if (['none', 'normal', '""'].includes(style.content)) continue
      const ratio = contrast(colour(style.color).rgb, backgrounds(element, null)[0])
      if (ratio < CONTRAST) problems.push(`contrast ${ratio.toFixed(2)}: ${style.content}`)
      if (parseFloat(style.fontSize) < SMALLEST.text) problems.push(`too small: ${style.content}`)
    }
  }

  // Nothing is cut off: not the slide, not a box on it.
  for (const element of [section, ...section.querySelectorAll('pre, table, figure, ul, ol, p, blockquote')]) {
    const name = element === section ? 'the slide' : element.tagName.toLowerCase()
    if (element.scrollWidth > element.clientWidth + 1) problems.push(`${name} is too wide`)
    if (element.scrollHeight > element.clientHeight + 1) problems.push(`${name} is too high`)
    const rect = element.getBoundingClientRect()
    if (element !== section && rect.bottom > size.height - MARGIN) problems.push(`${name} ends below the slide`)
  }

  // In a picture: nothing outside, and a text that begins in a box ends in it.
  for (const svg of section.querySelectorAll('figure svg')) {
    const frame = svg.getBoundingClientRect()
    const boxes = [...svg.querySelectorAll('rect')].map((box) => box.getBoundingClientRect())
    const texts = [...svg.querySelectorAll('text')]
    const places = texts.map((text) => text.getBoundingClientRect())
    const within = (inner, outer, room) =>
      inner.left >= outer.left + room && inner.right <= outer.right - room &&
      inner.top >= outer.top - 2 && inner.bottom <= outer.bottom + 2
    texts.forEach((text, index) => {
      const place = places[index]
      if (!within(place, frame, 0)) problems.push(`outside the picture: ${shown(text.textContent)}`)
      const [x, y] = [(place.left + place.right) / 2, (place.top + place.bottom) / 2]
      const around = boxes
        .filter((box) => x > box.left && x < box.right && y > box.top && y < box.bottom)
        .sort((a, b) => a.width * a.height - b.width * b.height)[0]
      if (around && !within(place, around, 4)) problems.push(`larger than its box: ${shown(text.textContent)}`)
      places.forEach((other, at) => {
        const apart =
          place.right <= other.left || other.right <= place.left ||
          place.bottom - 8 <= other.top || other.bottom - 8 <= place.top
        if (at > index && !apart) {
          problems.push(`over each other: ${shown(text.textContent)}, ${shown(texts[at].textContent)}`)
        }
      })
    })
  }
  return problems
}
