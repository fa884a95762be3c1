import * as v from 'valibot';
import type { ChangeKinds } from '../../changes/kind.ts';
import { kinds } from '../../changes/kinds.ts';
import type { SyncResetEvent } from '../../shared/contract.ts';
import { counter, id } from '../../shared/schemas.ts';
import { digits } from './lists.ts';

export const changesQuery = v.strictObject({
  after: v.pipe(
    digits,
    v.transform(Number),
    v.safeInteger('is beyond any eventSequence'),
    v.description('An `eventSequence`; what is numbered above it is answered. 0 is the beginning.'),
  ),
});

export const syncResetEvent: v.GenericSchema<SyncResetEvent> = v.pipe(
  v.object({ chatId: v.exactOptional(id), eventSequence: v.exactOptional(counter) }),
  v.metadata({ ref: 'SyncResetEvent' }),
);

export function changesPage(ofEvents: ChangeKinds): v.GenericSchema {
  const byKind = Map.groupBy(Object.entries(ofEvents), ([, kind]) => kind);
  const told = [...byKind].map(([{ payload }, named]) =>
    v.object({ event: v.picklist(named.map(([event]) => event)), payload }),
  );
  const reset = v.object({ event: v.literal('chat.sync.reset'), payload: syncResetEvent });
  return v.pipe(
    v.object({ data: v.array(v.union([...told, reset])), eventSequence: counter }),
    v.metadata({ ref: 'ChangesPage' }),
  );
}

export const changesPageSchema = changesPage(kinds);
