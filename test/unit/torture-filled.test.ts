import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gapFilled } from '../../src/gateway/fill-gap.ts';
import { createLog } from '../../src/shared/log.ts';
import { readFilled } from '../../torture/filled.ts';

const folder = await mkdtemp(join(tmpdir(), 'confab-filled-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('what gateways say of filled gaps is summed up over all their starts, whatever else they print', async () => {
  let text = '';
  const log = createLog({ logLevel: 'info' }, 'gateway', { write: (line) => (text += line) });
  log.info({ chatId: 'one', rows: 3, messages: 3 }, gapFilled);
  log.warn('something else');
  log.info({ chatId: 'two', rows: 40, messages: 1 }, gapFilled);
  const files = [join(folder, 'gateway-1.log'), join(folder, 'gateway-2.log')];
  await Bun.write(files[0]!, text);
  const whole = text.split('\n')[0]!;
  // Killed in the middle of a line.
  await Bun.write(files[1]!, `${whole}\nBun has crashed: ${gapFilled}\n${whole.slice(0, -4)}`);
  expect(await readFilled(files)).toEqual({ gaps: 3, rows: 46 });
  expect(await readFilled([])).toEqual({ gaps: 0, rows: 0 });
});
