import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'A copy of the mount table is still tied to the original',
  'After unshare, caller and container each have a mount table, but both roots are shared: a mount on one side appears on the other. After MS_PRIVATE the tie is cut.')
export default picture

function stage(y, title, tied) {
  picture.text(0, y + 26, title, { code: true, bold: true, size: 28, look: tied ? 'ink' : 'crab' })
  picture.box(0, y + 60, 400, 130, '', {})
  picture.text(24, y + 92, 'the caller’s table', { bold: true })
  picture.text(24, y + 126, tied ? '/  shared' : '/', { code: true })
  if (tied) picture.text(24, y + 160, '/…/rootfs/proc', { code: true, look: 'crab', bold: true })
  picture.box(736, y + 60, 400, 130, '', { look: 'new' })
  picture.text(760, y + 92, 'your table, a copy', { bold: true })
  picture.text(760, y + 126, tied ? '/  shared' : '/  private', { code: true })
  picture.text(760, y + 160, '/…/rootfs/proc', { code: true, look: 'crab', bold: true })
  if (tied) {
    picture.arrow([[400, y + 125], [736, y + 125]], { heads: 2, look: 'crab' })
    picture.text(568, y + 96, 'a mount on one side', { anchor: 'middle' })
    picture.text(568, y + 158, 'appears on the other', { anchor: 'middle' })
  } else {
    picture.arrow([[400, y + 125], [540, y + 125]], { heads: 0, dashed: true })
    picture.arrow([[596, y + 125], [736, y + 125]], { heads: 0, dashed: true })
    picture.text(568, y + 125, '✕', { anchor: 'middle', look: 'crab', size: 40, bold: true })
  }
}
stage(0, 'unshare(CLONE_NEWNS)', true)
stage(262, 'MS_REC | MS_PRIVATE', false)
