import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'One tree, two roots',
  'The tree of files of the host. The runtime begins to read paths at its top. The command begins at containers/1f0c/rootfs, which was unpacked from the image.')
export default picture

const line = (points) => picture.arrow(points, { heads: 0 })
line([[410, 80], [410, 130], [330, 130], [330, 150]])
line([[410, 80], [410, 130], [600, 130], [600, 150]])
line([[600, 210], [600, 250], [490, 250], [490, 270]])
line([[600, 210], [600, 250], [780, 250], [780, 270]])
line([[780, 330], [780, 390]])
picture.box(330, 20, 160, 60, '/', { size: 32, code: true, bold: true })
picture.box(230, 150, 200, 60, 'etc  home', { code: true })
picture.box(500, 150, 200, 60, 'workshop', { code: true })
picture.box(370, 270, 240, 60, 'images/base.tar', { code: true, size: 24 })
picture.box(650, 270, 260, 60, 'containers/1f0c', { code: true, size: 24 })
picture.box(620, 390, 320, 74, 'etc  home  usr', { code: true, look: 'new' })
picture.arrow([[490, 330], [490, 428], [620, 428]], { look: 'sea', dashed: true })
picture.text(472, 400, 'unpack', { look: 'sea', bold: true, anchor: 'end', size: 26 })
picture.text(276, 50, 'the runtime’s /', { bold: true, size: 27, anchor: 'end' })
picture.arrow([[284, 50], [330, 50]])
picture.text(1136, 370, 'the command’s /', { bold: true, size: 28, look: 'crab', anchor: 'end' })
picture.arrow([[1040, 394], [1040, 428], [940, 428]], { look: 'crab' })
