import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'The old root goes',
  'First the new root is a mount below the old one. After pivot_root the new root is at the top and the old one below it. After umount2 only the new root is left.')
export default picture

const column = (x, width, number, title) => {
  picture.text(x, 20, number, { look: 'crab', size: 34, bold: true })
  picture.text(x + 34, 20, title, { size: 28, bold: true, code: true })
}
const line = (points) => picture.arrow(points, { heads: 0 })

column(0, 330, '1', 'MS_BIND')
line([[150, 140], [150, 180], [80, 180], [80, 210]])
line([[150, 180], [250, 180], [250, 210]])
line([[250, 290], [250, 330]])
picture.box(30, 70, 240, 70, 'the old /', { look: 'gone' })
picture.box(0, 210, 160, 80, ['usr home', 'etc …'], { look: 'gone', size: 24 })
picture.box(180, 210, 150, 80, 'new root', { look: 'new' })
picture.box(180, 330, 150, 70, 'proc …', { look: 'new', code: true, size: 24 })
picture.arrow([[346, 250], [404, 250]], { look: 'crab' })

column(420, 330, '2', 'pivot_root')
line([[560, 140], [560, 180], [490, 180], [490, 210]])
line([[560, 180], [670, 180], [670, 210]])
line([[670, 290], [670, 330]])
picture.box(440, 70, 240, 70, 'new root: /', { look: 'new' })
picture.box(420, 210, 150, 70, 'proc …', { look: 'new', code: true, size: 24 })
picture.box(590, 210, 180, 80, ['/.put_old', 'the old /'], { look: 'gone', size: 24 })
picture.box(590, 330, 180, 80, ['usr home', 'etc …'], { look: 'gone', size: 24 })
picture.arrow([[786, 250], [844, 250]], { look: 'crab' })

column(866, 270, '3', 'umount2')
line([[1000, 140], [1000, 210]])
picture.box(880, 70, 240, 70, '/', { look: 'new', size: 30, bold: true })
picture.box(920, 210, 160, 70, 'proc …', { look: 'new', code: true, size: 24 })
picture.text(1000, 370, ['nothing left', 'to walk to'], { anchor: 'middle', bold: true, size: 30, look: 'crab' })
