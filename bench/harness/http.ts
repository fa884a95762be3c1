import type { HttpLoad, HttpLoadResult } from '../children/http-load.ts';
import { bunChild, type Child, startChild } from './child.ts';
import { content } from './filled-queue.ts';
import { chatId } from './population.ts';

export const startHttpLoad = (): Promise<Child> =>
  startChild({ name: 'http load', command: bunChild('http-load.ts') });

/** In requests of the load, replaced every time. */
export const uniqueId = '0b0b0b0b-0b0b-4b0b-8b0b-000000000000';

export interface HttpSample extends Record<string, number> {
  answers: number;
  cpuUs: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** One window of load on a process. */
export async function loadWindow(
  load: Child,
  server: { cpuMicroseconds(): number },
  options: HttpLoad,
): Promise<HttpSample> {
  const before = server.cpuMicroseconds();
  const { answers, seconds, p50Ms, p99Ms } = await load.call<HttpLoadResult>('run', options);
  const cpuUs = (server.cpuMicroseconds() - before) / answers;
  return { answers, cpuUs, perSecond: answers / seconds, p50Ms, p99Ms };
}

/** As a browser makes it, with the headers that one sends. */
function requestText(line: string, { port, token }: { port: number; token: string }, body?: string): string {
  return [
    `${line} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Accept: application/json, text/plain, */*',
    ...(body ? ['Content-Type: application/json'] : []),
    `Authorization: Bearer ${token}`,
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    `\r\n${body ?? ''}`,
  ].join('\r\n');
}

export function sendRequest(port: number, chat: number, token: string): string {
  const body = JSON.stringify({ content, clientMessageId: uniqueId });
  return requestText(`POST /chats/${chatId(chat)}/messages`, { port, token }, body);
}

/** The number that stands in a read, replaced by the next one each time that all have read. */
export const uniqueSequence = '100000000001';

export const readRequest = (port: number, chat: number, token: string): string =>
  requestText(`PUT /chats/${chatId(chat)}/read`, { port, token }, `{"sequence":${uniqueSequence}}`);

export const typingRequest = (port: number, chat: number, token: string, typing: boolean): string =>
  requestText(`PUT /chats/${chatId(chat)}/typing`, { port, token }, JSON.stringify({ typing }));

export const reactionRequest = (
  port: number,
  method: 'PUT' | 'DELETE',
  message: string,
  token: string,
): string => requestText(`${method} ${message}/reactions/${encodeURIComponent('👍')}`, { port, token }, '');

export const getRequest = (port: number, path: string, token: string): string =>
  requestText(`GET ${path}`, { port, token });
