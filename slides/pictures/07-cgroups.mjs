import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'A group is a directory, a limit is a file',
  'Below the group above lie two directories: the caller’s group with shell and runtime, and the container’s group with memory.max 64 MiB and pids.max 20. The command and its children are in it.')
export default picture

const line = (points) => picture.arrow(points, { heads: 0 })
line([[568, 80], [568, 110], [200, 110], [200, 140]])
line([[568, 110], [780, 110], [780, 140]])
picture.box(388, 10, 360, 70, 'the group above', {})
picture.box(0, 140, 400, 70, 'the caller’s group', { bold: true })
picture.box(60, 260, 280, 70, 'your shell', {})
picture.box(60, 370, 280, 70, 'your runtime', {})
line([[200, 210], [200, 260]])

picture.box(480, 140, 656, 110, '', { look: 'new' })
picture.text(506, 176, 'container-1f0c', { bold: true, size: 28, look: 'crab', code: true })
picture.text(506, 220, 'memory.max 64 MiB   pids.max 20', { code: true, size: 26 })
line([[620, 250], [620, 290]])
line([[760, 250], [760, 270], [900, 270], [900, 290]])
picture.box(500, 290, 240, 70, 'the command', { look: 'dark' })
picture.box(800, 290, 240, 70, 'its child', {})
line([[920, 360], [920, 390]])
picture.box(800, 390, 240, 70, 'and its child', {})
picture.text(490, 426, ['born in', 'the same group'], { look: 'pale', size: 24 })
picture.arrow([[340, 405], [470, 405], [470, 325], [500, 325]], { look: 'crab' })
