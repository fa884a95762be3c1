import type { SyncResetEvent } from '../shared/contract.ts';
import { frameOf } from './fan-out.ts';

/** Read this chat by REST, or the list of chats. */
export const resetFrame = (event: SyncResetEvent): string =>
  frameOf('chat.sync.reset', JSON.stringify(event));
