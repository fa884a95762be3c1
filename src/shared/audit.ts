import { chunks } from './chunks.ts';
import type { ParticipantRole } from './contract.ts';
import type { Logger } from './log.ts';

/**
 * What the log's stream `audit` tells, and with what: ids, counts and roles, never an email, a name, a word of a message, a password
 * or a token. `userId` is who it is about; who did it stands beside ({@link AuditedRequest}).
 */
export interface AuditEvents {
  'login.succeeded': { userId: string; sessionId: string };
  'login.failed': { reason: 'bad_credentials' | 'user_deactivated'; userId?: string };
  'refresh.reused': { userId: string; sessionId: string };
  'session.ended': { userId: string; sessionId: string };
  'token.made': { userId: string; sessionId: string };
  'service.used': { actAs: string; count: number };
  'user.deactivated': { userId: string };
  'user.reactivated': { userId: string };
  'participants.added': { chatId: string; userIds: readonly string[] };
  'participant.removed': { chatId: string; userId: string };
  'role.changed': { chatId: string; userId: string; role: ParticipantRole };
  'chat.deleted': { chatId: string; participants: number };
  'dlq.replayed': { ids: readonly string[]; signed: boolean };
  'dlq.dropped': { ids: readonly string[] };
  'partitions.changed': { before: number | null; count: number };
  'schema.migrated': { migrations: readonly string[] };
}

/** Who asked for it. */
export interface AuditedRequest {
  requestId: string;
  address(): string;
  identity?: { userId: string };
  byService?: boolean;
}

/** @param by a request, or, of a command, who has typed it: `user@machine` */
export type Audit = (by: AuditedRequest | { operator: string }) => AuditOf;

/** Writes a line about something that has happened, after it was committed: one for each 100 of those whom it names. */
export type AuditOf = <Event extends keyof AuditEvents>(event: Event, fields: AuditEvents[Event]) => void;

/** Whatever the level of the log, so that who wants fewer lines does not lose these; but for `silent`. */
export function createAudit(log: Logger): Audit {
  const level = log.level === 'silent' ? 'silent' : 'info';
  const lines = log.child({ stream: 'audit' }, { level, redact: [] });
  return (by) => (event, fields) => {
    const who = 'operator' in by ? by : actorOf(by);
    for (const part of partsOf(fields)) lines.info({ event, ...who, ...part });
  };
}

/** What collects logs cuts lines of more than 16 KiB. */
const mostIds = 100;

function partsOf(fields: object): object[] {
  const [name, list] = Object.entries(fields).find(([, value]) => Array.isArray(value)) ?? [];
  if (name === undefined) return [fields];
  return chunks(list, mostIds).map((some) => ({ ...fields, [name]: some }));
}

const actorOf = ({ requestId, address, identity, byService }: AuditedRequest) => ({
  ...{ requestId, address: address() },
  ...(identity ? { actorId: identity.userId } : {}),
  ...(byService ? { byService } : {}),
});
