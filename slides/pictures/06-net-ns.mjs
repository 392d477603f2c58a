import { Picture } from './draw.mjs'

const picture = new Picture(1136, 484, 'A new network is empty',
  'The caller’s network has eth0, lo and ports. After unshare there is only lo, and it is down. After the message to the kernel lo is up, with an address and ports of its own.')
export default picture

picture.frame(0, 0, 330, 484, 'caller’s network')
picture.box(30, 76, 270, 100, ['eth0', '192.168.1.7'], { code: true })
picture.box(30, 206, 270, 100, ['lo', '127.0.0.1'], { code: true })
picture.box(30, 336, 270, 100, ['port 80', 'taken'], {})

picture.arrow([[340, 242], [396, 242]], { look: 'crab' })
picture.frame(406, 0, 330, 484, 'unshare', { look: 'frame-crab', ink: 'crab' })
picture.box(436, 206, 270, 100, ['lo', 'down'], { look: 'gone', code: true })

picture.arrow([[746, 242], [800, 242]], { look: 'crab' })
picture.frame(806, 0, 330, 484, 'a netlink message', { look: 'frame-crab', ink: 'crab' })
picture.box(836, 206, 270, 100, ['lo: up', '127.0.0.1'], { look: 'new', code: true, bold: true })
picture.box(836, 336, 270, 100, ['port 80', 'free'], { look: 'new' })
