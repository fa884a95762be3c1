import type { ChatMessage } from '@confab/client';

/** What the next message is about. */
export type About = { kind: 'reply' | 'edit'; message: ChatMessage };
