import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'What stands around a container runtime in Docker',
  'docker, the client, asks dockerd. dockerd asks containerd. containerd starts a shim, the shim runs runc, and runc makes the container. What you built is runc’s part.')
export default picture

const steps = [
  ['docker', 'the client: a command line'],
  ['dockerd', 'API, images, networks'],
  ['containerd', 'keeps what runs'],
  ['shim', 'stays, and waits'],
  ['runc', 'makes it, and ends'],
]
steps.forEach(([name, what], index) => {
  const y = index * 98
  const mine = name === 'runc'
  picture.box(0, y, 300, 74, name, { look: mine ? 'new' : 'card', size: 30, code: true, bold: true })
  picture.text(336, y + 37, what, { size: 28, look: mine ? 'crab' : 'ink', bold: mine })
  if (index > 0) picture.arrow([[150, y - 24], [150, y]])
})
picture.box(820, 196, 316, 270, '', { look: 'new' })
picture.text(978, 240, 'today', { look: 'crab', bold: true, size: 36, anchor: 'middle' })
picture.text(978, 300, ['you built this,', 'out of plain', 'system calls'], { size: 28, anchor: 'middle' })
picture.arrow([[756, 429], [820, 429]], { look: 'crab' })
