// The deck, as text: what must hold of every slide. See checks.mjs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SLIDES, deck } from '../tools/deck.mjs'
import { drawn } from '../tools/pictures.mjs'
import { schedule } from '../tools/schedule.mjs'
import * as checks from './checks.mjs'

for (const [name, check] of Object.entries(checks).filter(([name]) => name !== 'isIn')) {
  test(name, () => assert.deepEqual(check(deck()), []))
}

test('the schedule is made from the minutes', () => {
  const kept = readFileSync(join(SLIDES, 'SCHEDULE.md'), 'utf8')
  assert.equal(kept, schedule(deck()), 'npm run schedule')
})

test('the pictures are what their sources draw', async () => {
  for (const { name, svg } of await drawn()) {
    assert.equal(readFileSync(join(SLIDES, 'pictures', name), 'utf8'), svg, `${name}: npm run pictures`)
  }
})
