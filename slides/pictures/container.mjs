import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'A container is a process with things of its own',
  'A process in the middle. Around it: files, mounts, root, process numbers, host name, network, memory, processor time, and an image that is shared.')
export default picture

picture.box(413, 182, 310, 120, ['a process', 'on your kernel'], { look: 'dark', size: 32, bold: true })
const around = [
  [0, 20, '00', 'start and end'], [413, 20, '01', 'files'], [826, 20, '02', 'mounts'],
  [0, 132, '09', 'a shared image'], [826, 132, '03', 'a root'],
  [0, 244, '08', 'processor time'], [826, 244, '04', 'processes'],
  [0, 356, '07', 'memory'], [413, 356, '06', 'network'], [826, 356, '05', 'a name'],
]
for (const [x, y, number, what] of around) {
  picture.box(x, y, 310, 96, '', { look: number < '06' ? 'new' : 'own' })
  picture.text(x + 22, y + 48, number, { look: number < '06' ? 'crab' : 'sea', bold: true, size: 30 })
  picture.text(x + 76, y + 48, what, { size: 26 })
}
