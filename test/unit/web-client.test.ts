import { expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { createTestApi } from '../support/api.ts';

const never = {} as never;
const base = { database: never, facts: never, notifier: never };
const { call } = await createTestApi({ ...base, environment: { WEB_CLIENT: 'true' } });

/** The page, and what it names. */
const page = await (await call('GET', '/')).text();
const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`);

test('the page and all of its parts are served from here, within 250 KB as they travel', async () => {
  expect(parts.toSorted()).toEqual(['/web/icon.svg', '/web/main.js', '/web/style.css']);
  let bytes = gzipSync(page).byteLength;
  for (const path of parts) {
    const answer = await call('GET', path);
    expect({ path, status: answer.status }).toEqual({ path, status: 200 });
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const body = await answer.bytes();
    bytes += gzipSync(body).byteLength;
    const again = await call('GET', path, undefined, {
      headers: { 'If-None-Match': answer.headers.get('etag') ?? '' },
    });
    expect({ path, status: again.status }).toEqual({ path, status: 304 });
  }
  expect(bytes).toBeLessThan(250 * 1024);
});

test('the page lets in no script and no style but its own files, and no text become markup', async () => {
  const answer = await call('GET', '/');
  const policy = Object.fromEntries(
    (answer.headers.get('content-security-policy') ?? '').split('; ').map((rule) => rule.split(/ (.*)/)),
  );
  expect(policy).toMatchObject({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'trusted-types': "'none'",
    'require-trusted-types-for': "'script'",
  });
  expect(JSON.stringify(policy)).not.toContain('unsafe');
  expect(page).not.toMatch(/<script(?![^>]* src=)|<style| style=| on\w+=/);
});

test('a second person is offered to who tries it, and to nobody in production', async () => {
  expect(page).toContain('<html lang="en" data-second-person>');
  const environment = { NODE_ENV: 'production', WEB_CLIENT: 'true' };
  const production = await createTestApi({ ...base, environment });
  expect(await (await production.call('GET', '/')).text()).toContain('<html lang="en">');
});

test('where it is off nothing of it is there', async () => {
  const off = await createTestApi({ ...base, environment: { NODE_ENV: 'production' } });
  for (const path of ['/', ...parts]) expect((await off.call('GET', path)).status, path).toBe(404);
});
