import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'Two numbers for one process',
  'In the caller’s PID namespace are init, number 1, and your runtime, number 3. The runtime forks the command: outside it is number 4, inside number 1. Its child is 5 outside, 2 inside.')
export default picture

picture.frame(0, 0, 1136, 484, 'the caller’s PID namespace')
picture.frame(490, 150, 620, 306, 'the container’s PID namespace', { look: 'frame-crab', ink: 'crab' })
picture.box(40, 70, 250, 80, 'init', { size: 28 })
picture.text(310, 110, '1', { size: 40, bold: true })
picture.box(40, 250, 300, 130, ['your runtime', 'unshare, then fork'], { size: 26 })
picture.text(310, 222, '3', { size: 40, bold: true })
picture.arrow([[340, 315], [515, 280]], { look: 'crab' })
picture.text(400, 336, 'fork', { look: 'crab', bold: true, code: true, size: 28 })
picture.box(520, 220, 250, 90, 'the command', { look: 'dark', size: 28 })
picture.text(792, 265, '4 outside', { size: 28 })
picture.text(956, 265, '1 inside', { look: 'crab', bold: true, size: 28 })
picture.arrow([[645, 310], [645, 350]])
picture.box(520, 350, 250, 80, 'its child', { size: 28 })
picture.text(792, 390, '5 outside', { size: 28 })
picture.text(956, 390, '2 inside', { look: 'crab', bold: true, size: 28 })
