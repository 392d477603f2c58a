import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'The sandbox, and who looks in',
  'Your machine holds the checker and the sandbox. In the sandbox runs your runtime, which starts a container. The checker looks at it from outside, through the kernel.')
export default picture

picture.frame(0, 0, 1136, 484, 'your machine: the sandbox sees it read-only')
picture.frame(452, 70, 652, 386, 'the sandbox: gone when it ends', { look: 'frame-sea', ink: 'sea' })
picture.box(492, 150, 250, 110, ['your runtime', 'level-04'], { size: 28 })
picture.frame(800, 140, 276, 286, 'the container', { look: 'frame-crab', ink: 'crab' })
picture.box(830, 200, 216, 110, 'the command', { look: 'dark', size: 28 })
picture.arrow([[742, 205], [830, 240]], { look: 'crab' })
picture.box(32, 150, 250, 110, 'the checker', { size: 28, bold: true })
picture.arrow([[282, 205], [492, 205]])
picture.text(300, 180, 'starts', { look: 'pale' })
picture.arrow([[157, 260], [157, 390], [938, 390], [938, 310]], { look: 'sea', dashed: true })
picture.text(40, 424, 'asks the kernel', { look: 'sea', bold: true })
