// Where Chromium is: $CHROME_PATH, or a usual name in PATH, or a usual place.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/snap/bin/chromium',
]

export function browser() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const named = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  const all = [process.env.CHROME_PATH, ...named, ...PLACES]
  const path = all.find((one) => one && existsSync(one))
  if (!path) {
    console.error('no Chromium or Chrome found: install one, or say where it is in CHROME_PATH')
    process.exit(1)
  }
  // Root can't have Chromium's own sandbox.
  const flags = process.getuid?.() === 0 || process.env.CHROME_NO_SANDBOX ? ['--no-sandbox'] : []
  return { path, flags }
}
