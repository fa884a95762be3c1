import type { SendEnvelope } from '../shared/contract.ts';
import { type EnvelopeVersion, envelopeVersions, type Signature } from '../shared/envelope-codec.ts';
import { deriveBrokerMessageId, isLowerCaseUuid } from '../shared/ids.ts';
import { isObject, textProblem } from '../shared/message-extras.ts';
import { readExtras } from './envelope-extras.ts';

/** Who sent it and under which key: enough to tell the sender of a refusal, and the log whose request it was. */
export type SendKey = Pick<SendEnvelope, 'brokerMessageId' | 'chatId' | 'senderId' | 'clientMessageId'> &
  Partial<Pick<SendEnvelope, 'requestId'>>;

export type EnvelopeVerdict =
  | { kind: 'valid'; envelope: SendEnvelope }
  /** Made by a version that is being rolled out: for a worker of that version. */
  | { kind: 'newer'; version: number }
  /** `key` is there when the ids at least can be believed. */
  | { kind: 'poison'; reason: string; key?: SendKey };

/** UTF-16 units, as the api counts them. */
const mostContentUnits = 8_000;
/** As `toISOString()` writes it, of years that the database takes. */
const instantCharacters = 24;
const unsignedVersions: readonly EnvelopeVersion[] = [1];

/**
 * Checks what came out of the queue before it goes into a batch; by hand, because it runs for every message. What nobody of
 * ours signed names nobody, and is of the first version: no other was ever sent without a signature.
 * @param unsignedIsBelieved see `unsigned.ts`
 */
export function readEnvelope(
  body: string,
  signature: Signature,
  unsignedIsBelieved = false,
): EnvelopeVerdict {
  if (signature === 'foreign') return { kind: 'poison', reason: 'the signature is not ours' };
  if (signature === 'none' && !unsignedIsBelieved) return { kind: 'poison', reason: 'not signed' };
  const verdict = readContent(body, signature === 'none' ? unsignedVersions : envelopeVersions);
  if (verdict.kind === 'newer' && signature === 'none') return { kind: 'poison', reason: 'not signed' };
  return verdict;
}

function readContent(body: string, versions: readonly EnvelopeVersion[]): EnvelopeVerdict {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { kind: 'poison', reason: 'not JSON' };
  }
  if (!isObject(value)) return { kind: 'poison', reason: 'not a JSON object' };
  const { version, brokerMessageId, chatId, senderId, clientMessageId, content, sentAt, requestId } = value;

  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    return { kind: 'poison', reason: 'no version' };
  }
  const known = versions.find((one) => one === version);
  if (known === undefined) return { kind: 'newer', version };
  if (!isLowerCaseUuid(chatId)) return { kind: 'poison', reason: 'chatId is not a UUID in lower case' };
  if (!isLowerCaseUuid(senderId)) return { kind: 'poison', reason: 'senderId is not a UUID in lower case' };
  if (!isLowerCaseUuid(clientMessageId)) {
    return { kind: 'poison', reason: 'clientMessageId is not a UUID in lower case' };
  }
  if (brokerMessageId !== deriveBrokerMessageId(chatId, senderId, clientMessageId)) {
    return {
      kind: 'poison',
      reason: 'brokerMessageId is not the one of its chat, sender and clientMessageId',
    };
  }

  const key: SendKey = {
    ...{ brokerMessageId, chatId, senderId, clientMessageId },
    ...(typeof requestId === 'string' ? { requestId } : {}),
  };
  if (typeof content !== 'string') return { kind: 'poison', reason: 'content is not a string', key };
  if (content.length < 1 || content.length > mostContentUnits) {
    return { kind: 'poison', reason: `content has not 1 to ${mostContentUnits} UTF-16 units`, key };
  }
  const unstorable = textProblem(content);
  if (unstorable !== undefined) return { kind: 'poison', reason: `content ${unstorable}`, key };
  if (!isInstant(sentAt)) {
    return { kind: 'poison', reason: 'sentAt is not ISO 8601 in UTC with milliseconds', key };
  }
  if (typeof requestId !== 'string') return { kind: 'poison', reason: 'requestId is not a string', key };
  const ids = { brokerMessageId, chatId, senderId, clientMessageId };
  const plain = { version: known, ...ids, content, sentAt, requestId };
  if (known === 1) return { kind: 'valid', envelope: plain };
  const extras = readExtras(value);
  if (typeof extras === 'string') return { kind: 'poison', reason: extras, key };
  if (known === 2) return { kind: 'valid', envelope: { ...plain, ...extras } };
  if (value.messageType !== 'system') return { kind: 'poison', reason: 'messageType is not system', key };
  return { kind: 'valid', envelope: { ...plain, ...extras, messageType: 'system' } };
}

function isInstant(value: unknown): value is string {
  if (typeof value !== 'string' || value.length !== instantCharacters) return false;
  const time = Date.parse(value);
  return !Number.isNaN(time) && new Date(time).toISOString() === value;
}
