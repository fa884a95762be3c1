import { expect, test } from 'bun:test';
import pino from 'pino';
import { createConnecting } from '../../src/gateway/connect.ts';
import type { Member } from '../../src/gateway/member.ts';
import type { OwnMemberships } from '../../src/gateway/own-memberships.ts';
import type { Resume } from '../../src/gateway/resume.ts';
import type { Users } from '../../src/gateway/users.ts';

const log = pino({ level: 'silent' });

/** The parts that a socket in no chat never asks. */
const unasked = {} as Omit<Parameters<typeof createConnecting>[0], 'log'>;

test('a socket that cannot be written to when it is ready is closed, and the process lives on', async () => {
  const closed = Promise.withResolvers<void>();
  const frames: string[] = [];
  const member = {
    closed: false,
    live: false,
    refused: undefined,
    send(frame: string) {
      frames.push(frame);
      throw new Error('the transport broke');
    },
    close: closed.resolve,
  } as unknown as Member;
  const users = { goesLive: () => {} } as unknown as Users;
  const ownMemberships = { goesLive: () => {} } as unknown as OwnMemberships;
  const resume = { none: () => {} } as unknown as Resume;
  createConnecting({ ...unasked, users, ownMemberships, resume, log }).goLive({
    member,
    memberships: [],
    version: undefined,
    own: { version: 7, readReceipts: true, showPresence: true, memberships: [] },
    before: undefined,
    resume: undefined,
  });
  expect(member.live).toBe(true);
  await closed.promise;
  expect(frames).toEqual(['42/chat,["chat.ready",{"membershipVersion":7}]']);
});
