import { describe, expect, test } from 'bun:test';
import { ConfigError, parseConfig } from '../../src/shared/config.ts';
import { type AllowedOrigin, createAllowedOrigin } from '../../src/shared/origins.ts';

const local = [
  ...['http://localhost:5173', 'https://localhost', 'http://127.0.0.1:8080', 'http://[::1]:3000'],
  ...['http://tauri.localhost', 'capacitor://localhost'],
];
const foreign = [
  ...['https://evil.example', 'http://localhost.evil.example', 'null', 'file://', 'not an origin', ''],
  ...['http://', 'http://localhost@evil.example', 'http://evil.example/localhost', 'chrome-extension://abc'],
];

const request = (headers: Record<string, string> = {}) => new Request('http://api.example/', { headers });
const none = request();

const withList = (corsOrigins: string[] | undefined, trustProxy = false): AllowedOrigin =>
  createAllowedOrigin({ corsOrigins, environment: 'production', trustProxy });

test('with no list: localhost in development, nobody in production', () => {
  const parts = { corsOrigins: undefined, trustProxy: false };
  const development = createAllowedOrigin({ ...parts, environment: 'development' });
  const production = createAllowedOrigin({ ...parts, environment: 'production' });
  for (const origin of local) expect([origin, development(origin, none)]).toEqual([origin, true]);
  for (const origin of foreign) expect([origin, development(origin, none)]).toEqual([origin, false]);
  for (const origin of [...local, ...foreign]) {
    expect([origin, production(origin, none)]).toEqual([origin, false]);
  }
});

test('with a list: those alone, exactly', () => {
  const allowed = createAllowedOrigin({
    corsOrigins: ['https://app.example.com'],
    environment: 'development',
    trustProxy: false,
  });
  expect(allowed('https://app.example.com', none)).toBe(true);
  expect(allowed('HTTPS://App.Example.Com:443', none)).toBe(true);
  for (const origin of ['http://app.example.com', 'https://app.example.com:8443', ...local])
    expect([origin, allowed(origin, none)]).toEqual([origin, false]);
});

describe('the page came from where it asks', () => {
  const allowed = withList(undefined);
  const behindProxy = withList(undefined, true);

  test.each([
    ['http://chat.example', 'chat.example'],
    ['https://chat.example', 'chat.example'],
    ['https://chat.example', 'chat.example:443'],
    ['http://chat.example', 'chat.example:80'],
    ['http://chat.example:3000', 'chat.example:3000'],
    ['http://chat.example', 'Chat.Example'],
    ['http://127.0.0.1:3000', '127.0.0.1:3000'],
    ['http://[::1]:3000', '[::1]:3000'],
    ['https://xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s asks %s', (origin, host) => {
    expect(allowed(origin, request({ host }))).toBe(true);
  });

  test.each([
    ['http://evil.example', 'chat.example'],
    ['http://chat.example.evil.example', 'chat.example'],
    ['http://chat.example:3001', 'chat.example:3000'],
    ['http://chat.example', 'chat.example:443'],
    ['http://chat.example', ''],
    ['http://chat.example', '['],
    ['null', 'null'],
    ['file://', ''],
    ['capacitor://localhost', 'localhost'],
  ])('%s does not when it asks %s', (origin, host) => {
    expect(allowed(origin, request({ host }))).toBe(false);
  });

  test('behind a proxy of ours it is the host that the proxy was asked for', () => {
    const inside = { host: 'chat-be:3000', 'x-forwarded-port': '8000', 'x-forwarded-proto': 'http' };
    const asked = (host: string) => request({ ...inside, 'x-forwarded-host': host });
    expect(behindProxy('https://chat.example', asked('chat.example'))).toBe(true);
    // Kong leaves the port out.
    expect(behindProxy('http://localhost:3000', asked('localhost'))).toBe(true);
    expect(behindProxy('http://localhost:3000', asked('localhost:3000'))).toBe(true);
    expect(behindProxy('http://localhost:3001', asked('localhost:3000'))).toBe(false);
    expect(behindProxy('https://chat.example', asked('evil.example'))).toBe(false);
    // The last one is what our proxy says; what stands before it is the client's word.
    expect(behindProxy('https://evil.example', asked('evil.example, chat.example'))).toBe(false);
    expect(behindProxy('https://chat.example', asked('evil.example, chat.example'))).toBe(true);
    expect(behindProxy('http://chat-be:3000', request(inside))).toBe(true);
  });

  test('a proxy that is not trusted says nothing', () => {
    const forged = request({ host: 'chat.example', 'x-forwarded-host': 'evil.example' });
    expect(allowed('https://evil.example', forged)).toBe(false);
    expect(allowed('https://chat.example', forged)).toBe(true);
  });
});

describe('CORS_ORIGINS', () => {
  const parsed = (CORS_ORIGINS: string) => parseConfig({ CORS_ORIGINS }).corsOrigins;

  test.each([
    ['https://app.example.com', ['https://app.example.com']],
    [' https://a.example , http://localhost:5173/ ', ['https://a.example', 'http://localhost:5173']],
    ['HTTPS://App.Example.Com', ['https://app.example.com']],
    [
      'https://app.example.com:443,http://app.example.com:80',
      ['https://app.example.com', 'http://app.example.com'],
    ],
    ['https://bücher.example', ['https://xn--bcher-kva.example']],
    ['http://[2001:DB8::1]:8080', ['http://[2001:db8::1]:8080']],
    ['capacitor://localhost,ionic://localhost', ['capacitor://localhost', 'ionic://localhost']],
    ['tauri://localhost,https://tauri.localhost', ['tauri://localhost', 'https://tauri.localhost']],
    ['file://', ['file://']],
    ['file:///', ['file://']],
    ['null', ['null']],
    ['app://-,app://bundle', ['app://-', 'app://bundle']],
    [
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      ['chrome-extension://abcdefghijklmnopabcdefghijklmnop'],
    ],
  ])('%s is taken', (text, origins) => {
    expect(parsed(text)).toEqual(origins);
    const allowed = withList(origins);
    for (const origin of origins) expect([origin, allowed(origin, none)]).toEqual([origin, true]);
  });

  test('a page from a file says one or the other', () => {
    expect(withList(['file://'])('null', none)).toBe(true);
    expect(withList(['null'])('file://', none)).toBe(false);
  });

  test.each([
    ['*', 'asterisk'],
    ['https://*.example.com', 'asterisk'],
    ['https://app.example.com/*', 'asterisk'],
    ['app.example.com', 'begins with its scheme'],
    ['localhost:5173', 'begins with its scheme'],
    ['app.example.com:443/x', 'begins with its scheme'],
    ['https://app.example.com/chat', 'scheme, host and port alone'],
    ['https://app.example.com//', 'scheme, host and port alone'],
    ['https://app.example.com?x', 'scheme, host and port alone'],
    ['https://app.example.com#x', 'scheme, host and port alone'],
    ['https://me@app.example.com', 'scheme, host and port alone'],
    ['capacitor://localhost/index.html', 'scheme, host and port alone'],
    ['file:///home/app/index.html', 'scheme, host and port alone'],
    ['wss://app.example.com', 'http:// or https://'],
    ['ws://localhost', 'http:// or https://'],
    ['https://a.example;https://b.example', 'scheme, host and port alone'],
    ['https://a.example;', 'no origin'],
    ['https://a.example https://b.example', 'no origin'],
    ['https://a.example:99999', 'no origin'],
    ['https://', 'no origin'],
    ['capacitor://', 'no origin'],
    ['https://a..example', 'no origin'],
    ['https://a.example,', 'nothing in it'],
    ['https://a.example,,https://b.example', 'nothing in it'],
  ])('%s is refused', (text, reason) => {
    try {
      parsed(text);
      expect.unreachable();
    } catch (error) {
      const { problems } = error as ConfigError;
      expect(error).toBeInstanceOf(ConfigError);
      expect(problems).toEqual([expect.stringMatching(/^CORS_ORIGINS (?:has|holds) /)]);
      expect(problems[0]).toContain(reason);
    }
  });

  test('each entry that is wrong is named', () => {
    expect(() => parsed('*,https://ok.example,x.example')).toThrow(/"\*"[\s\S]*"x\.example"/);
  });
});
