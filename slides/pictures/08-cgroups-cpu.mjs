import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'Four promises about time',
  'Quota: 20 of every 100 milliseconds. Weight: 1024 against 128 is eight to one. Cpuset: CPUs 0 to 2 of four. Freezer: nothing until it is thawed.')
export default picture

const row = (y, name, what) => {
  picture.text(0, y + 24, name, { bold: true, size: 32, look: 'crab' })
  picture.text(0, y + 62, what, { look: 'pale', size: 24 })
}
const cell = (x, y, width, look, words = '', options = {}) =>
  picture.box(x, y, width, 68, words, { look, round: 6, size: 24, ...options })

row(10, 'quota', 'a cap, always')
for (const x of [350, 610, 870]) {
  cell(x, 10, 52, 'new')
  cell(x + 52, 10, 208, 'gone', 'throttled')
}
row(136, 'weight', 'only when contended')
cell(350, 136, 692, 'new', '1024 shares')
cell(1042, 136, 88, 'own', '128')
row(262, 'cpuset', 'where, not how much')
for (const number of [0, 1, 2, 3]) {
  const free = number < 3
  cell(350 + number * 196, 262, 190, free ? 'new' : 'gone', free ? `CPU ${number}` : 'not CPU 3')
}
row(388, 'freezer', 'nothing at all')
cell(350, 388, 230, 'new', 'runs')
cell(580, 388, 320, 'dark', 'frozen', { bold: true })
cell(900, 388, 230, 'new', 'goes on')
