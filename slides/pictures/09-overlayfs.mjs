import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'Several directories, seen as one',
  'Three rows. Lower: the image, with passwd, profile and usr, only read. Upper: this container’s, with a new file, a copy of passwd and a whiteout over profile. Merged, what the container sees: new, its passwd, usr.')
export default picture

const rows = [[0, 'merged', 'what it sees'], [180, 'upper', 'its changes'], [360, 'lower', 'the image, for all']]
for (const [y, name, what] of rows) {
  picture.text(0, y + 40, name, { bold: true, size: 34, look: name === 'lower' ? 'sea' : 'crab' })
  picture.text(0, y + 84, what, { look: 'pale', size: 24 })
  picture.box(296, y, 840, 124, '', { look: name === 'merged' ? 'card' : name === 'upper' ? 'new' : 'own' })
}
const file = (column, y, words, look, options = {}) =>
  picture.box(320 + column * 204, y + 27, 180, 70, words, { look, size: 24, code: true, ...options })
const up = (column, from, look) =>
  picture.arrow([[410 + column * 204, from], [410 + column * 204, from - 86]], { look })

file(0, 360, 'passwd', 'card')
file(1, 360, 'profile', 'card')
file(2, 360, 'usr', 'card')
file(0, 180, 'passwd', 'card')
file(1, 180, 'whiteout', 'gone', { code: false })
file(3, 180, 'new', 'card')
file(0, 0, 'passwd', 'card')
file(2, 0, 'usr', 'card')
file(3, 0, 'new', 'card')
picture.arrow([[410, 383], [410, 281]], { look: 'sea', dashed: true })
picture.text(426, 332, 'copy-up', { look: 'sea', bold: true, size: 24 })
picture.arrow([[614, 383], [614, 281]], { heads: 0, dashed: true })
picture.arrow([[818, 383], [818, 101]], { look: 'sea' })
picture.arrow([[410, 203], [410, 101]], { look: 'crab' })
picture.arrow([[1022, 203], [1022, 101]], { look: 'crab' })
picture.text(614, 62, '(gone)', { look: 'pale', anchor: 'middle', size: 24 })
