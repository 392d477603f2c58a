import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'fork, exec, wait',
  'The runtime forks a child and sleeps in waitpid. The child is still your code, until exec puts the command in it. When the command ends, waitpid gives its status to the runtime.')
export default picture

picture.text(0, 80, 'runtime', { size: 28, bold: true })
picture.text(0, 112, 'pid 3', { look: 'pale', size: 24 })
picture.text(0, 330, 'child', { size: 28, bold: true })
picture.text(0, 362, 'pid 4', { look: 'pale', size: 24 })
picture.box(150, 50, 150, 86, 'your code')
picture.box(350, 50, 520, 86, 'sleeps in waitpid', { look: 'gone' })
picture.box(920, 50, 216, 86, 'status 7', { look: 'own', bold: true })
picture.arrow([[225, 136], [225, 300]], { look: 'crab' })
picture.text(246, 206, 'fork', { look: 'crab', bold: true, size: 30, code: true })
picture.box(150, 300, 330, 86, 'still your code', { look: 'new', bold: true })
picture.arrow([[480, 343], [560, 343]], { look: 'crab' })
picture.text(482, 272, 'exec', { look: 'crab', bold: true, size: 30, code: true })
picture.box(560, 300, 310, 86, 'the command', { look: 'dark' })
picture.arrow([[870, 343], [1028, 343], [1028, 136]], { look: 'sea' })
picture.text(1012, 240, 'exit 7', { look: 'sea', bold: true, size: 30, code: true, anchor: 'end' })
picture.arrow([[170, 412], [170, 424], [460, 424], [460, 412]], { look: 'crab', heads: 0 })
picture.text(315, 456, 'here containers are made', { look: 'crab', bold: true, size: 28, anchor: 'middle' })
