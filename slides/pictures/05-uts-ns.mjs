import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'One name and one memory, or one for each',
  'At level 04 two containers share one host name and one blackboard. At level 05 each has a name and an empty blackboard of its own.')
export default picture

picture.frame(0, 0, 540, 484, 'level 04')
picture.box(40, 76, 200, 84, 'container A', { look: 'dark' })
picture.box(300, 76, 200, 84, 'container B', { look: 'dark' })
picture.box(120, 230, 300, 80, 'name: host', { code: true })
picture.box(120, 360, 300, 90, ['shared memory', 'of the host'], {})
picture.arrow([[140, 160], [220, 230]])
picture.arrow([[400, 160], [320, 230]])
picture.arrow([[80, 160], [80, 405], [120, 405]])
picture.arrow([[460, 160], [460, 405], [420, 405]])

picture.frame(596, 0, 540, 484, 'level 05', { look: 'frame-crab', ink: 'crab' })
for (const [x, name, label] of [[620, '3f9a0c81', 'A'], [876, 'crab-pot', 'B']]) {
  picture.box(x, 76, 236, 84, `container ${label}`, { look: 'dark' })
  picture.arrow([[x + 118, 160], [x + 118, 230]])
  picture.box(x, 230, 236, 80, `name: ${name}`, { look: 'new', code: true, size: 24 })
  picture.arrow([[x + 118, 310], [x + 118, 360]])
  picture.box(x, 360, 236, 90, ['shared memory', 'its own, empty'], { look: 'new' })
}
