import { expect, test } from 'bun:test';
import { createAllowedOrigin } from '../../src/shared/origins.ts';

const local = ['http://localhost:5173', 'https://localhost', 'http://127.0.0.1:8080', 'http://[::1]:3000'];
const foreign = ['https://evil.example', 'http://localhost.evil.example', 'null', 'file://', 'not an origin'];

test('with no list: localhost in development, nobody in production', () => {
  const development = createAllowedOrigin({ corsOrigins: undefined, environment: 'development' });
  const production = createAllowedOrigin({ corsOrigins: undefined, environment: 'production' });
  for (const origin of local) expect([origin, development(origin)]).toEqual([origin, true]);
  for (const origin of foreign) expect([origin, development(origin)]).toEqual([origin, false]);
  for (const origin of [...local, ...foreign]) expect([origin, production(origin)]).toEqual([origin, false]);
});

test('with a list: those alone, exactly', () => {
  const allowed = createAllowedOrigin({
    corsOrigins: ['https://app.example.com'],
    environment: 'development',
  });
  expect(allowed('https://app.example.com')).toBe(true);
  for (const origin of ['http://app.example.com', 'https://app.example.com:8443', ...local])
    expect([origin, allowed(origin)]).toEqual([origin, false]);
});

test('without the header a request passes', () => {
  const allowed = createAllowedOrigin({ corsOrigins: undefined, environment: 'production' });
  expect(allowed(undefined)).toBe(true);
  expect(allowed(null)).toBe(true);
});
